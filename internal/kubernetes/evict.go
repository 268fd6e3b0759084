package kubernetes

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// evictAgain is how long a refused eviction waits at most before it is tried again although nothing was seen
// to change: a budget can also be lifted by what is not watched.
const evictAgain = 30 * time.Second

// Evict ends the pod through the eviction API and returns when it is gone. While a disruption budget forbids it,
// it waits for the budgets of the namespace to change. A pod that is not ready is no loss that a budget could
// protect from: where one forbids its eviction all the same, it is deleted.
func (a *Account) Evict(ctx context.Context, namespace, name string) error {
	p, err := a.pod(ctx, namespace, name)
	if err != nil {
		return ignoreGone(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	byName := url.Values{"fieldSelector": {"metadata.name=" + name}}
	e := eviction{account: a, pod: p}
	e.pods = notices[pod](ctx, a, request{op: "watch pod " + name, path: namespaced("v1", namespace, "pods"), query: byName})
	return e.run(ctx)
}

// An eviction is that of one pod, not of what comes after it under its name.
type eviction struct {
	account *Account
	pod     *pod // as last seen
	pods    <-chan notice[pod]
	budgets <-chan notice[budget] // watched once one of them says no
}

// A budget holds what is kept of a PodDisruptionBudget.
type budget struct {
	Spec struct {
		Selector *metav1.LabelSelector `json:"selector"`
	} `json:"spec"`
	Status struct {
		DisruptionsAllowed int `json:"disruptionsAllowed"`
	} `json:"status"`
}

func (e *eviction) run(ctx context.Context) error {
	for {
		allowed, err := e.ask(ctx)
		if err != nil {
			return err
		}
		if allowed {
			return e.awaitGone(ctx)
		}
		if e.budgets == nil {
			r := request{op: "watch poddisruptionbudgets", path: namespaced("policy/v1", e.pod.Metadata.Namespace, "poddisruptionbudgets")}
			e.budgets = notices[budget](ctx, e.account, r)
		}
		if gone, err := e.awaitChange(ctx); gone || err != nil {
			return err
		}
	}
}

// ask asks once for the eviction. It returns false where a budget forbids it.
func (e *eviction) ask(ctx context.Context) (bool, error) {
	uid, meta := types.UID(e.pod.Metadata.UID), e.pod.Metadata
	err := e.account.call(ctx, request{
		op: "evict pod " + meta.Name, method: http.MethodPost, path: namespaced("v1", meta.Namespace, "pods", meta.Name, "eviction"),
		body: policyv1.Eviction{
			TypeMeta:      metav1.TypeMeta{APIVersion: "policy/v1", Kind: "Eviction"},
			ObjectMeta:    metav1.ObjectMeta{Name: meta.Name, Namespace: meta.Namespace},
			DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}},
		},
	})
	switch {
	case err == nil || hasStatus(err, http.StatusNotFound):
		return true, nil
	case hasStatus(err, http.StatusConflict):
		return e.isReplaced(ctx, err)
	case !isBudget(err):
		return false, err
	case e.pod.isReady():
		return false, nil
	}
	return e.deleteUnready(ctx)
}

// deleteUnready deletes the pod as long as it is as it was seen; false if it changed.
func (e *eviction) deleteUnready(ctx context.Context) (bool, error) {
	uid, meta := types.UID(e.pod.Metadata.UID), e.pod.Metadata
	err := e.account.call(ctx, request{
		op: "delete pod " + meta.Name, method: http.MethodDelete, path: namespaced("v1", meta.Namespace, "pods", meta.Name),
		body: metav1.DeleteOptions{
			TypeMeta:      metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"},
			Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &meta.ResourceVersion},
		},
	})
	if hasStatus(err, http.StatusConflict) {
		return false, nil
	}
	return err == nil || hasStatus(err, http.StatusNotFound), ignoreGone(err)
}

// isReplaced tells a conflict over who the pod is from every other one.
func (e *eviction) isReplaced(ctx context.Context, conflict error) (bool, error) {
	now, err := e.account.pod(ctx, e.pod.Metadata.Namespace, e.pod.Metadata.Name)
	if err != nil {
		return true, ignoreGone(err)
	}
	if now.Metadata.UID != e.pod.Metadata.UID {
		return true, nil
	}
	return false, conflict
}

// awaitGone returns when the pod is no more.
func (e *eviction) awaitGone(ctx context.Context) error {
	for {
		select {
		case n := <-e.pods:
			if n.err != nil || e.isEnd(n) {
				return n.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitChange returns when another try makes sense: the pod is no longer ready, or its budget allows something.
func (e *eviction) awaitChange(ctx context.Context) (gone bool, err error) {
	again := time.NewTimer(evictAgain)
	defer again.Stop()
	for {
		select {
		case n := <-e.pods:
			if n.err != nil || e.isEnd(n) {
				return n.err == nil, n.err
			}
			e.pod = &n.object
			if !e.pod.isReady() {
				return false, nil
			}
		case n := <-e.budgets:
			if n.err != nil || e.isAllowed(n) {
				return false, n.err
			}
		case <-again.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// isEnd reports whether the notice says that the pod is no more.
func (e *eviction) isEnd(n notice[pod]) bool {
	return n.none || n.deleted || n.object.Metadata.UID != e.pod.Metadata.UID
}

// isAllowed reports whether a budget of the pod may allow its eviction now: it allows one, or it is gone.
func (e *eviction) isAllowed(n notice[budget]) bool {
	if n.none {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(n.object.Spec.Selector)
	if err != nil || !selector.Matches(labels.Set(e.pod.Metadata.Labels)) {
		return false
	}
	return n.deleted || n.object.Status.DisruptionsAllowed > 0
}

// isBudget tells a disruption budget's refusal from that of a server with too much to do.
func isBudget(err error) bool {
	s, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && apierrors.HasStatusCause(s, policyv1.DisruptionBudgetCause)
}

func hasStatus(err error, code int32) bool {
	s, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && s.ErrStatus.Code == code
}

func ignoreGone(err error) error {
	if hasStatus(err, http.StatusNotFound) {
		return nil
	}
	return err
}
