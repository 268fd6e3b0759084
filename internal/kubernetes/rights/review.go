package rights

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// maxReviews bounds how many rights are reviewed at the same time.
const maxReviews = 8

// A Reviewer asks a cluster which rights the account's credentials have.
type Reviewer struct{ client *client.Client }

// NewReviewer returns a reviewer of the client's credentials.
func NewReviewer(c *client.Client) *Reviewer { return &Reviewer{c} }

// Missing returns the rights that the plan needs in the target and the credentials do not have.
func (v *Reviewer) Missing(ctx context.Context, p *sluice.Plan, target string) ([]sluice.Right, error) {
	list := needed(p, target, func(ref sluice.Ref) (client.Resource, bool) {
		r, err := v.client.Find(ctx, ref.APIVersion, ref.Kind)
		return r, err == nil // the plan brings a kind that the cluster does not know yet
	})
	if v.client.IsInside() { // Services and pods are reached directly
		list = slices.DeleteFunc(list, func(r sluice.Right) bool {
			return r.Resource == "services/proxy" || r.Resource == "pods/portforward"
		})
	}
	return v.Review(ctx, list)
}

// Review returns those of the rights that the credentials do not have. It asks once for the rules of each namespace,
// and one by one for the rights that the rules do not clearly allow.
func (v *Reviewer) Review(ctx context.Context, rights []sluice.Right) ([]sluice.Right, error) {
	rules := map[string][]authorizationv1.ResourceRule{}
	for _, r := range rights {
		if _, ok := rules[r.Namespace]; ok {
			continue
		}
		list, err := v.rules(ctx, r.Namespace)
		if err != nil {
			return nil, err
		}
		rules[r.Namespace] = list
	}
	missing := make([]bool, len(rights))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxReviews)
	for i, r := range rights {
		allow := func(rule authorizationv1.ResourceRule) bool { return allows(rule, r) }
		if slices.ContainsFunc(rules[r.Namespace], allow) {
			continue
		}
		g.Go(func() error {
			allowed, err := v.may(ctx, r)
			missing[i] = !allowed
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var list []sluice.Right
	for i, r := range rights {
		if missing[i] {
			list = append(list, r)
		}
	}
	return list, nil
}

// rules returns what the credentials may do in the namespace, as far as the cluster can list that. It returns nothing
// for rights without a namespace.
func (v *Reviewer) rules(ctx context.Context, namespace string) ([]authorizationv1.ResourceRule, error) {
	if namespace == "" {
		return nil, nil
	}
	review := authorizationv1.SelfSubjectRulesReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectRulesReview"},
		Spec:     authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace},
	}
	err := v.client.Call(ctx, client.Request{
		Op: "review the rights in the namespace " + namespace, Method: http.MethodPost,
		Path: client.Path("authorization.k8s.io/v1", "", "selfsubjectrulesreviews"), Body: review, Into: &review,
	})
	return review.Status.ResourceRules, err
}

// may asks for one right.
func (v *Reviewer) may(ctx context.Context, r sluice.Right) (bool, error) {
	resource, subresource, _ := strings.Cut(r.Resource, "/")
	review := authorizationv1.SelfSubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"},
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: r.Namespace, Verb: r.Verb, Group: r.Group, Resource: resource, Subresource: subresource,
		}},
	}
	err := v.client.Call(ctx, client.Request{
		Op: "review the right to " + r.Verb + " " + r.Resource, Method: http.MethodPost,
		Path: client.Path("authorization.k8s.io/v1", "", "selfsubjectaccessreviews"), Body: review, Into: &review,
	})
	return review.Status.Allowed, err
}

// allows reports whether the rule gives the right on objects of every name.
func allows(rule authorizationv1.ResourceRule, r sluice.Right) bool {
	return len(rule.ResourceNames) == 0 && covers(rule.Verbs, r.Verb) && covers(rule.APIGroups, r.Group) &&
		coversResource(rule.Resources, r.Resource)
}

func covers(list []string, one string) bool {
	return slices.Contains(list, one) || slices.Contains(list, "*")
}

// coversResource knows the forms of RBAC: *, */scale, pods, pods/log.
func coversResource(list []string, one string) bool {
	_, subresource, has := strings.Cut(one, "/")
	return covers(list, one) || has && slices.Contains(list, "*/"+subresource)
}
