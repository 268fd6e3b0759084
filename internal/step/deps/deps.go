// Package deps holds what steps act through: contracts, by the names that sluice.yaml gives their implementations.
package deps

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// Deps is what steps act through. Maps are keyed by the names that sluice.yaml gives.
type Deps struct {
	Accounts  map[string]sluice.Account
	Unopened  map[string]error // why each other account of sluice.yaml cannot be used
	Metrics   map[string]sluice.Metrics
	Secrets   sluice.Secrets
	Sealer    sluice.Sealer
	MaskKey   []byte // the key of masks: with it anybody can find out which value a mask replaces
	Movers    map[string]sluice.Mover
	Migrators map[string]sluice.Migrator  // by the name of the mover in the deploy file
	Databases map[string]sluice.Databases // by engine
	Beside    dataset.Beside              // nil: this process reads every database itself
	Catalogue sluice.Catalogue
	// Callbacks returns the URL, with its own secret, at which the step awaits a callback; the same arguments give the
	// same URL. The receiver appends /callback.
	Callbacks func(id sluice.DeploymentID, step sluice.StepID) (string, error)
	// Preview returns the URL at which a Service of an account is shown until then, "" if the Service's own address can
	// be used. If Preview is nil it always can.
	Preview func(account, namespace, service string, port int, until time.Time) (string, error)
	// Knows reports whether the deployment is one of this state directory. Nil: every deployment is.
	Knows   func(ctx context.Context, id sluice.DeploymentID) (bool, error)
	HTTP    *http.Client      // default http.DefaultClient
	Now     func() time.Time  // default time.Now
	Replace map[string]string // prefixes of webhook URLs and what to put in their place
}

// Account returns the account of that name, or an Invalid error with the names that exist. If the account cannot be
// opened, it returns why.
func (d Deps) Account(name string, at sluice.Position) (sluice.Account, error) {
	if a, ok := d.Accounts[name]; ok {
		return a, nil
	}
	if err := d.Unopened[name]; err != nil {
		return sluice.Account{}, err
	}
	return sluice.Account{}, sluice.Errorf(sluice.Invalid, "there is no account %q", name).
		WithHint("add it under accounts in sluice.yaml; the accounts there are: %s", Names(d.Accounts)).At(at)
}

// TargetAccount returns the account of the step's target, which writes for the application of the plan. Its errors are
// those of Account.
func (d Deps) TargetAccount(sc sluice.StepContext) (sluice.Account, error) {
	return d.AccountFor(sc, sc.Target.Account)
}

// AccountFor is TargetAccount for the account of that name.
func (d Deps) AccountFor(sc sluice.StepContext, name string) (sluice.Account, error) {
	a, err := d.Account(name, sc.Step.Pos)
	if err == nil && a.Writers != nil && sc.Plan != nil {
		writing := sluice.Writing{Application: sc.Plan.Application, TakeOver: sc.Plan.TakeOver}
		a.ClusterWriter, a.Adopter = a.Writers.For(writing)
	}
	return a, err
}

// MetricProvider returns the metric provider of that name, or an Invalid error with the names that exist.
func (d Deps) MetricProvider(name string, at sluice.Position) (sluice.Metrics, error) {
	if m, ok := d.Metrics[name]; ok {
		return m, nil
	}
	return nil, sluice.Errorf(sluice.Invalid, "there is no metric provider %q", name).
		WithHint("add it under metrics in sluice.yaml; the providers there are: %s", Names(d.Metrics)).At(at)
}

// Waiter returns a waiter for objects of the account, until the deadline, that tolerates what the target tolerates.
func (d Deps) Waiter(sc sluice.StepContext, a sluice.Account, deadline time.Time) ready.Waiter {
	return ready.Waiter{
		Account: a, Deadline: deadline, MaxUnready: sc.Target.MaxUnready, Now: d.Now, Report: sc.Report,
	}
}

// ServiceURL returns where the first port of a Service in the target's namespace answers.
func (d Deps) ServiceURL(ctx context.Context, sc sluice.StepContext, service string) (string, error) {
	a, err := d.TargetAccount(sc)
	if err != nil {
		return "", err
	}
	namespace := sc.Target.Namespace
	o, err := a.Get(ctx, sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: service})
	if err != nil {
		return "", err
	}
	ports := o.List("spec", "ports")
	if len(ports) == 0 {
		return "", sluice.Errorf(sluice.Invalid, "Service/%s has no port to show", service)
	}
	port := ports[0].Number(0, "port")
	if d.Preview != nil {
		until := d.Now().Add(sibling.Exposure(sc, service))
		url, err := d.Preview(sc.Target.Account, namespace, service, port, until)
		if err != nil || url != "" {
			return url, err
		}
	}
	address, err := a.Address(ctx, namespace, service, port)
	if err != nil {
		return "", err
	}
	return "http://" + address, nil
}

// Names lists the keys, sorted, for a message.
func Names[K ~string, V any](m map[K]V) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, string(k))
	}
	return cmp.Or(strings.Join(list, ", "), "none")
}
