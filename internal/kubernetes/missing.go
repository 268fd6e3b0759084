package kubernetes

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// maxReviews bounds how many rights are asked for at the same time.
const maxReviews = 8

// Missing returns the rights that the plan needs in the target and the account's credentials do not have.
func (a *Account) Missing(ctx context.Context, p *sluice.Plan, target string) ([]sluice.Right, error) {
	list := needed(p, target, func(ref sluice.Ref) (resource, bool) {
		r, err := a.mapper.find(ctx, ref.APIVersion, ref.Kind)
		return r, err == nil // what the cluster does not know yet comes with the plan, under the usual name
	})
	if a.isInside() {
		list = slices.DeleteFunc(list, isWayIn)
	}
	return a.Review(ctx, list)
}

// isWayIn reports whether the right is one that only who is outside of the cluster needs, to reach what is inside.
func isWayIn(r sluice.Right) bool {
	return slices.Contains([]string{"services/proxy", "pods/portforward"}, r.Resource)
}

// Review returns those of the rights that the account's credentials do not have. A namespace's rules are asked
// for once; only what they do not clearly allow is asked for one by one.
func (a *Account) Review(ctx context.Context, rights []sluice.Right) ([]sluice.Right, error) {
	rules := map[string][]authorizationv1.ResourceRule{}
	for _, r := range rights {
		if _, ok := rules[r.Namespace]; ok {
			continue
		}
		list, err := a.rules(ctx, r.Namespace)
		if err != nil {
			return nil, err
		}
		rules[r.Namespace] = list
	}
	missing := make([]bool, len(rights))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxReviews)
	for i, r := range rights {
		if slices.ContainsFunc(rules[r.Namespace], func(rule authorizationv1.ResourceRule) bool { return allows(rule, r) }) {
			continue
		}
		g.Go(func() error {
			allowed, err := a.may(ctx, r)
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

// rules returns what the credentials may do in the namespace as far as the cluster can list it; nothing for what
// has no namespace.
func (a *Account) rules(ctx context.Context, namespace string) ([]authorizationv1.ResourceRule, error) {
	if namespace == "" {
		return nil, nil
	}
	review := authorizationv1.SelfSubjectRulesReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectRulesReview"},
		Spec:     authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace},
	}
	err := a.call(ctx, request{
		op: "review the rights in the namespace " + namespace, method: http.MethodPost,
		path: namespaced("authorization.k8s.io/v1", "", "selfsubjectrulesreviews"), body: review, into: &review,
	})
	return review.Status.ResourceRules, err
}

// may asks for a single right.
func (a *Account) may(ctx context.Context, r sluice.Right) (bool, error) {
	resource, subresource, _ := strings.Cut(r.Resource, "/")
	review := authorizationv1.SelfSubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"},
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: r.Namespace, Verb: r.Verb, Group: r.Group, Resource: resource, Subresource: subresource,
		}},
	}
	err := a.call(ctx, request{
		op: "review the right to " + r.Verb + " " + r.Resource, method: http.MethodPost,
		path: namespaced("authorization.k8s.io/v1", "", "selfsubjectaccessreviews"), body: review, into: &review,
	})
	return review.Status.Allowed, err
}

// allows reports whether the rule gives the right for every object, whatever its name.
func allows(rule authorizationv1.ResourceRule, r sluice.Right) bool {
	return len(rule.ResourceNames) == 0 && covers(rule.Verbs, r.Verb) && covers(rule.APIGroups, r.Group) && coversResource(rule.Resources, r.Resource)
}

func covers(list []string, one string) bool {
	return slices.Contains(list, one) || slices.Contains(list, "*")
}

// coversResource knows the forms of RBAC: *, */scale, pods, pods/log.
func coversResource(list []string, one string) bool {
	_, subresource, has := strings.Cut(one, "/")
	return covers(list, one) || has && slices.Contains(list, "*/"+subresource)
}
