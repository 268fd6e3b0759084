package host

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

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
	"github.com/sluice-cd/sluice/internal/kubernetes/watch"
)

// evictAgain is how long a refused eviction waits before it is tried again without any sign of a change. Something that
// is not watched may have lifted the budget.
const evictAgain = 30 * time.Second

// Evict ends the pod through the eviction API and returns when it is gone. While a disruption budget forbids that, it
// waits for the budgets of the namespace to change. A pod that is not ready serves nobody, so it is deleted if a budget
// forbids its eviction.
func (h *Host) Evict(ctx context.Context, namespace, name string) error {
	p, err := h.pod(ctx, namespace, name)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := eviction{host: h, pod: p}
	e.pods = watch.Events[pod.Pod](ctx, h.client, client.Request{
		Op: "watch pod " + name, Path: client.Path("v1", namespace, "pods"),
		Query: url.Values{"fieldSelector": {"metadata.name=" + name}},
	})
	defer h.informers.Expire(namespace)
	return e.run(ctx)
}

// An eviction ends one pod, but not a later pod of the same name.
type eviction struct {
	host    *Host
	pod     *pod.Pod // the last state that was seen
	pods    <-chan watch.Event[pod.Pod]
	budgets <-chan watch.Event[budget] // watched as soon as one of them forbids the eviction
}

// A budget is the part of a PodDisruptionBudget that is kept.
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
			path := client.Path("policy/v1", e.pod.Metadata.Namespace, "poddisruptionbudgets")
			e.budgets = watch.Events[budget](ctx, e.host.client, client.Request{Op: "watch poddisruptionbudgets", Path: path})
		}
		if gone, err := e.awaitChange(ctx); gone || err != nil {
			return err
		}
	}
}

// ask asks once for the eviction. It returns false if a budget forbids it.
func (e *eviction) ask(ctx context.Context) (bool, error) {
	uid, meta := types.UID(e.pod.Metadata.UID), e.pod.Metadata
	err := e.host.client.Call(ctx, client.Request{
		Op: "evict pod " + meta.Name, Method: http.MethodPost,
		Path: client.Path("v1", meta.Namespace, "pods", meta.Name, "eviction"),
		Body: policyv1.Eviction{
			TypeMeta:      metav1.TypeMeta{APIVersion: "policy/v1", Kind: "Eviction"},
			ObjectMeta:    metav1.ObjectMeta{Name: meta.Name, Namespace: meta.Namespace},
			DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}},
		},
	})
	switch {
	case err == nil || client.HasStatus(err, http.StatusNotFound):
		return true, nil
	case client.HasStatus(err, http.StatusConflict):
		return e.isReplaced(ctx, err)
	case !isBudget(err):
		return false, err
	case e.pod.IsReady():
		return false, nil
	}
	return e.deleteUnready(ctx)
}

// deleteUnready deletes the pod if it has not changed since it was seen. Otherwise, and without the right to delete
// pods, it returns false.
func (e *eviction) deleteUnready(ctx context.Context) (bool, error) {
	uid, meta := types.UID(e.pod.Metadata.UID), e.pod.Metadata
	err := e.host.client.Call(ctx, client.Request{
		Op: "delete pod " + meta.Name, Method: http.MethodDelete,
		Path: client.Path("v1", meta.Namespace, "pods", meta.Name),
		Body: metav1.DeleteOptions{
			TypeMeta:      metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"},
			Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &meta.ResourceVersion},
		},
	})
	if client.HasStatus(err, http.StatusConflict) || sluice.ErrorCode(err) == sluice.Denied {
		return false, nil
	}
	return err == nil || client.HasStatus(err, http.StatusNotFound), client.IgnoreNotFound(err)
}

// isReplaced returns true if the conflict arose because another pod has the name now, and the conflict otherwise.
func (e *eviction) isReplaced(ctx context.Context, conflict error) (bool, error) {
	now, err := e.host.pod(ctx, e.pod.Metadata.Namespace, e.pod.Metadata.Name)
	if err != nil {
		return true, client.IgnoreNotFound(err)
	}
	if now.Metadata.UID != e.pod.Metadata.UID {
		return true, nil
	}
	return false, conflict
}

// awaitGone returns when the pod is gone.
func (e *eviction) awaitGone(ctx context.Context) error {
	for {
		select {
		case event := <-e.pods:
			if event.Err != nil || e.isEnd(event) {
				return event.Err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitChange returns when another try makes sense: the pod is not ready any more, or a budget of it allows one.
func (e *eviction) awaitChange(ctx context.Context) (gone bool, err error) {
	again := time.NewTimer(evictAgain)
	defer again.Stop()
	for {
		select {
		case event := <-e.pods:
			if event.Err != nil || e.isEnd(event) {
				return event.Err == nil, event.Err
			}
			e.pod = &event.Object
			if !e.pod.IsReady() {
				return false, nil
			}
		case event := <-e.budgets:
			if sluice.ErrorCode(event.Err) == sluice.Denied {
				e.budgets = make(chan watch.Event[budget]) // it is asked again after a while
				continue
			}
			if event.Err != nil || e.isAllowed(event) {
				return false, event.Err
			}
		case <-again.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// isEnd reports whether the pod is gone.
func (e *eviction) isEnd(event watch.Event[pod.Pod]) bool {
	return event.None || event.Deleted || event.Object.Metadata.UID != e.pod.Metadata.UID
}

// isAllowed reports whether a budget of the pod may allow its eviction now, because it allows one or is gone.
func (e *eviction) isAllowed(event watch.Event[budget]) bool {
	if event.None {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(event.Object.Spec.Selector)
	if err != nil || !selector.Matches(labels.Set(e.pod.Metadata.Labels)) {
		return false
	}
	return event.Deleted || event.Object.Status.DisruptionsAllowed > 0
}

// isBudget tells the refusal by a disruption budget from that of a busy server.
func isBudget(err error) bool {
	s, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && apierrors.HasStatusCause(s, policyv1.DisruptionBudgetCause)
}
