package accounttest

import (
	"context"

	"github.com/sluice-cd/sluice"
)

var cancelling = []scenario{
	{"a cancelled call changes nothing", nil, (*run).cancelled},
}

func (r *run) cancelled() {
	r.rollout(Serves)
	config := r.config("c", "{a: '1'}")
	r.apply(config)
	was := r.get(config.Ref())
	r.apply(r.config("c", "{a: '2'}"))
	web, pod := r.ref("Deployment", "web"), r.pods("Deployment/web")[0]
	r.must(r.Shift(r.ctx, r.division(100)))
	before := []sluice.Object{r.get(config.Ref()), r.get(web), r.get(r.ref("Service", "web"))}

	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	for name, call := range map[string]func() error{
		"Apply":   func() error { _, _, err := r.Apply(ctx, r.config("c", "{a: '3'}"), false); return err },
		"create":  func() error { _, _, err := r.Apply(ctx, r.config("new", "{a: '3'}"), false); return err },
		"Restore": func() error { _, _, err := r.Restore(ctx, was, false); return err },
		"Scale":   func() error { return r.Scale(ctx, web, 1) },
		"Delete":  func() error { return r.Delete(ctx, config.Ref()) },
		"Evict":   func() error { return r.Evict(ctx, r.Namespace, pod.Name) },
		"Shift":   func() error { return r.Shift(ctx, r.division(0)) },
		"Release": func() error { return r.Release(ctx, r.division(0)) },
	} {
		if err := call(); !isCancelled(err) {
			r.Errorf("%s returns %v", name, err)
		}
	}
	for _, o := range before {
		r.same(o, "after calls that were cancelled")
	}
	_, err := r.Get(r.ctx, r.ref("ConfigMap", "new"))
	r.wants(err, sluice.NotFound)
	if now := r.pods("Deployment/web"); len(now) != 2 || now[0].Name != pod.Name {
		r.Errorf("the pods are %+v", now)
	}
	r.awaitCanaries("after calls that were cancelled", func(n int) bool { return n == requests })
}
