package step

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// Deps is what steps act through. Maps are keyed by the names that sluice.yaml gives.
type Deps struct {
	Accounts  map[string]sluice.Account
	Metrics   map[string]sluice.Metrics
	Secrets   sluice.Secrets
	Sealer    sluice.Sealer
	MaskKey   []byte // masks depend on it; whoever has it can find out which value a mask stands for
	Movers    map[string]sluice.Mover
	Databases map[string]sluice.Databases // by engine
	Catalogue sluice.Catalogue
	// Callbacks returns the URL, with its own secret, at which the step's callback is awaited; the same
	// arguments give the same URL. The receiver appends /callback.
	Callbacks func(id sluice.DeploymentID, step sluice.StepID) (string, error)
	// Preview returns the URL at which a Service of an account is shown until then, "" where its own address will do;
	// nil: it always does.
	Preview func(account, namespace, service string, port int, until time.Time) (string, error)
	HTTP    *http.Client      // default http.DefaultClient
	Now     func() time.Time  // default time.Now
	Replace map[string]string // prefixes of webhook URLs and what to put in their place
}

// New returns the maker of every kind of step that a plan can hold.
func New(d Deps) sluice.Steps {
	if d.HTTP == nil {
		d.HTTP = http.DefaultClient
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return registry{d}
}

type registry struct{ deps Deps }

// A maker makes one kind of step. It has no effects.
type maker func(d Deps, sc sluice.StepContext) (sluice.Step, error)

func makers() map[sluice.StepKind]maker {
	return map[sluice.StepKind]maker{
		sluice.KindCheckpointData: newCheckpointData,
		sluice.KindMigrateData:    newMigrateData,
		sluice.KindVerifyData:     newVerifyData,
		sluice.KindRestoreData:    newRestoreData,
		sluice.KindRunWebhook:     newRunWebhook,
		sluice.KindAnalysis:       newAnalysis,
		sluice.KindPause:          newPause,
		sluice.KindWaitFor:        newWaitFor,
		sluice.KindApply:          newApply,
		sluice.KindSetWeight:      newSetWeight,
		sluice.KindPromote:        newPromote,
		sluice.KindPrune:          newPrune,
		sluice.KindRunJob:         newRunJob,
		sluice.KindExposeServices: newExposeServices,
	}
}

// New makes the step that sc.Step declares.
func (r registry) New(sc sluice.StepContext) (sluice.Step, error) {
	known := makers()
	make, ok := known[sc.Step.Kind]
	if !ok {
		return nil, sluice.Errorf(sluice.Unsupported, "step %s is of the kind %q, which this version cannot carry out", sc.Step.ID, sc.Step.Kind).
			WithHint("the kinds are %s", names(known)).At(sc.Step.Pos)
	}
	if sc.Report == nil {
		sc.Report = func(sluice.Progress) {}
	}
	if isLeftOut(sc) {
		return leftOut{}, nil
	}
	return make(r.deps, sc)
}

// account returns the account of that name, or an Invalid error with the names that exist.
func (d Deps) account(name string, at sluice.Position) (sluice.Account, error) {
	if a, ok := d.Accounts[name]; ok {
		return a, nil
	}
	return sluice.Account{}, sluice.Errorf(sluice.Invalid, "there is no account %q", name).
		WithHint("add it under accounts in sluice.yaml; the accounts there are: %s", names(d.Accounts)).At(at)
}

// metrics returns the metric provider of that name, or an Invalid error with the names that exist.
func (d Deps) metrics(name string, at sluice.Position) (sluice.Metrics, error) {
	if m, ok := d.Metrics[name]; ok {
		return m, nil
	}
	return nil, sluice.Errorf(sluice.Invalid, "there is no metric provider %q", name).
		WithHint("add it under metrics in sluice.yaml; the providers there are: %s", names(d.Metrics)).At(at)
}

// names lists the keys, sorted, for a message.
func names[K ~string, V any](m map[K]V) string {
	if len(m) == 0 {
		return "none"
	}
	list := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, string(k))
	}
	return strings.Join(list, ", ")
}
