package gate

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/theory/jsonpath"
)

// waitFor watches one object until it is as wanted, can no longer become so, or the time is over.
type waitFor struct {
	inert
	deps    deps.Deps
	sc      sluice.StepContext
	ref     sluice.Ref
	account sluice.Account
	want    expectation
	fail    []expectation
}

// An expectation is a path and the value wanted there; "" means any.
type expectation struct {
	path  valuePath
	text  string
	value string
}

// NewWaitFor returns the step that waits for an object.
func NewWaitFor(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	spec := *sc.Step.WaitFor
	a, err := d.TargetAccount(sc)
	if err != nil {
		return nil, err
	}
	ref, err := refOf(spec.Object, cmp.Or(spec.Namespace, sc.Target.Namespace))
	if err != nil {
		return nil, err
	}
	s := &waitFor{deps: d, sc: sc, ref: ref, account: a}
	s.want, err = wanted(spec)
	if err != nil {
		return nil, err
	}
	for _, f := range spec.FailWhen {
		e, err := expect(f.JSONPath, f.Value)
		if err != nil {
			return nil, err
		}
		s.fail = append(s.fail, e)
	}
	return s, nil
}

// refOf parses the name of the object to wait for. Its API version has to be known.
func refOf(text, namespace string) (sluice.Ref, error) {
	ref, err := sluice.ParseRef(text, namespace)
	if err == nil && ref.APIVersion == "" {
		err = sluice.Errorf(sluice.Invalid, "the kind %q of %q is not built in", ref.Kind, text).
			WithHint("write its API group too, like Migration.v1alpha1.stork.libopenstorage.org/name")
	}
	return ref, err
}

func wanted(spec sluice.WaitFor) (expectation, error) {
	if spec.JSONPath != "" {
		return expect(spec.JSONPath, spec.Value)
	}
	name, value, ok := strings.Cut(spec.Condition, "=")
	if !ok {
		value = "True"
	}
	e, err := expect(`{.status.conditions[?(@.type=="`+name+`")].status}`, value)
	e.text = "condition " + name
	return e, err
}

func expect(text, value string) (expectation, error) {
	p, err := parsePath(text)
	return expectation{p, text, value}, err
}

func (e expectation) met(o sluice.Object) bool {
	found := e.path.values(o)
	return len(found) > 0 && (e.value == "" || slices.Contains(found, e.value))
}

// String says what is wanted.
func (e expectation) String() string {
	if e.value == "" {
		return e.text + " present"
	}
	return e.text + " = " + e.value
}

func (e expectation) found(o sluice.Object) string {
	if found := e.path.values(o); len(found) > 0 {
		return e.text + " is " + strings.Join(found, ", ")
	}
	return e.text + " is absent"
}

// Check says what the step waits for.
func (s *waitFor) Check(context.Context) (sluice.Preview, error) {
	return sluice.Preview{Notes: []string{"waits until " + s.ref.String() + " has " + s.want.String()}}, nil
}

type waitForRecord struct {
	Deadline time.Time `json:"deadline"`
}

// Start fixes the deadline.
func (s *waitFor) Start(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	if len(p.Data) == 0 {
		raw, err := record.Write(waitForRecord{s.deps.Now().Add(s.timeout())})
		if err != nil {
			return p, err
		}
		p.Data = raw
	}
	p.State, p.Message = sluice.Running, "waiting until "+s.ref.String()+" has "+s.want.String()
	return p, nil
}

// Observe watches until the wait is over.
func (s *waitFor) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	var r waitForRecord
	if err := record.Read(p.Data, &r); err != nil {
		return p, err
	}
	w := s.deps.Waiter(s.sc, s.account, r.Deadline)
	seen := "it does not exist"
	err := w.Trace(ctx, s.ref, func(o sluice.Object, gone bool) (met bool, missing string, err error) {
		if gone && o.Text("metadata", "uid") == "" {
			return false, seen, nil
		}
		if met, seen, err = s.look(o); !met && gone {
			seen = "it was deleted"
		}
		return met, seen, err
	})
	if ready.IsTimeout(err) {
		err = sluice.Errorf(sluice.Failed, "%s does not have %s after %s: %s", s.ref, s.want, s.timeout(), seen)
	}
	if err != nil {
		return p, err
	}
	p.State, p.Message = sluice.Done, s.ref.String()+" has "+s.want.String()
	return p, nil
}

// look judges one state of the object, which may be its last.
func (s *waitFor) look(o sluice.Object) (met bool, seen string, err error) {
	for _, f := range s.fail {
		if f.met(o) {
			return false, "", sluice.Errorf(sluice.Failed, "%s can no longer have %s: %s", s.ref, s.want, f.found(o))
		}
	}
	if s.want.met(o) {
		return true, "", nil
	}
	if state := manifest.Status(o); state.Phase == manifest.Failed {
		return false, "", sluice.Errorf(sluice.Failed, "%s can no longer have %s: %s", s.ref, s.want, state.Message)
	}
	return false, s.want.found(o), nil
}

func (s *waitFor) timeout() time.Duration {
	return cmp.Or(s.sc.Step.WaitFor.Timeout, ready.DefaultTimeout)
}

// escaped is a name with dots in it, as kubectl writes it: .metadata.labels.app\.kubernetes\.io/name.
var escaped = regexp.MustCompile(`\.((?:[A-Za-z0-9_/\-]|\\\.)*\\\.(?:[A-Za-z0-9_/\-]|\\\.)*)`)

// A valuePath finds values in an object. It is written as kubectl's jsonpath output is, with or without braces,
// or as RFC 9535 says.
type valuePath struct{ *jsonpath.Path }

func parsePath(text string) (valuePath, error) {
	s := strings.TrimSpace(text)
	s = strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	s = escaped.ReplaceAllStringFunc(s, func(m string) string {
		return "['" + strings.ReplaceAll(m[1:], `\.`, ".") + "']"
	})
	switch {
	case strings.HasPrefix(s, "$"):
	case strings.HasPrefix(s, ".") || strings.HasPrefix(s, "["):
		s = "$" + s
	default:
		s = "$." + s
	}
	p, err := jsonpath.Parse(s)
	if err != nil {
		return valuePath{}, sluice.Errorf(sluice.Invalid, "%q is not a jsonpath: %w", text, err).
			WithHint("write it like {.status.phase}")
	}
	return valuePath{p}, nil
}

// values returns what the path finds, as text; maps and lists become JSON.
func (p valuePath) values(o sluice.Object) []string {
	found := p.Select(map[string]any(o))
	list := make([]string, 0, len(found))
	for _, v := range found {
		if s, ok := v.(string); ok {
			list = append(list, s)
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil {
			continue // an object decoded from JSON has no such value
		}
		list = append(list, string(raw))
	}
	return list
}
