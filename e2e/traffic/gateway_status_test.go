package traffic_test

import (
	"context"
	"iter"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice"
)

// report writes into the route's status what a gateway writes: that it uses the generation.
func (s *shop) report(ctx context.Context, o sluice.Object, generation int) error {
	var conditions []any
	for _, kind := range []string{"Accepted", "ResolvedRefs"} {
		conditions = append(conditions, map[string]any{"type": kind, "status": "True", "reason": kind, "message": "",
			"observedGeneration": int64(generation), "lastTransitionTime": time.Now().UTC().Format(time.RFC3339)})
	}
	o = o.Clone()
	o.Set([]any{map[string]any{"parentRef": map[string]any{"name": "gateway"}, "controllerName": "example.com/gateway",
		"conditions": conditions}}, "status", "parents")
	_, err := s.of("HTTPRoute").UpdateStatus(ctx, &unstructured.Unstructured{Object: o}, metav1.UpdateOptions{})
	return err
}

// changes yields the route now and after each change, also if the server ends a watch.
func (s *shop) changes(ctx context.Context, t *testing.T) iter.Seq[sluice.Object] {
	return func(yield func(sluice.Object) bool) {
		for {
			w, err := s.of("HTTPRoute").Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=shop"})
			if err != nil {
				t.Fatal(err)
			}
			for e := range w.ResultChan() {
				u, ok := e.Object.(*unstructured.Unstructured)
				if !ok {
					break // the server says why it ends
				}
				if !yield(u.Object) {
					w.Stop()
					return
				}
			}
			w.Stop()
		}
	}
}

// A shift returns only when the gateway that reports on the route uses it.
func TestAGatewayThatReportsIsWaitedFor(t *testing.T) {
	s := newShop(t)
	s.put(httpRoute)
	s.withCanary(1)
	route := s.get("HTTPRoute", "shop")
	if err := s.report(t.Context(), route, route.Number(0, "metadata", "generation")); err != nil {
		t.Fatal(err)
	}
	by := sluice.Traffic{Gateway: []sluice.GatewayRoute{{Kind: "HTTPRoute", Name: "shop", Service: "web"}}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shifted := make(chan error, 1)
	go func() { shifted <- s.account.Shift(ctx, s.division(20, by)) }()
	for o := range s.changes(ctx, t) {
		if o.Number(0, "metadata", "generation") == route.Number(0, "metadata", "generation") {
			continue
		}
		for range 20 { // long enough for a shift that does not wait to return
			s.get("HTTPRoute", "shop")
		}
		select {
		case err := <-shifted:
			t.Fatalf("it returned before the gateway said anything: %v", err)
		default:
		}
		if err := s.report(ctx, o, o.Number(0, "metadata", "generation")); err != nil {
			t.Fatal(err)
		}
		break
	}
	if err := <-shifted; err != nil {
		t.Fatal(err)
	}
	s.release(by) // the route is put back even if the gateway reports nothing any more
	s.unchanged(route)
}
