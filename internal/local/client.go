package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/agent"
	kjson "sigs.k8s.io/json"
)

// An Account is a local account. The first call dials it. It is safe for concurrent use. While its agent is away,
// every method returns Unavailable; an agent that has died is started again by the next call.
type Account struct {
	config Config
	client *http.Client

	mu     sync.Mutex
	dialed bool
	silent error // why the agent of an account that only looks is not asked again
}

// Open returns the account. The first call dials it, except Down and Remove, which restart nothing.
func Open(c Config) *Account {
	if dir, err := filepath.Abs(c.Dir); err == nil { // else the working directory is gone, and so is c.Dir
		c.Dir = dir
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return agent.DialSocket(ctx, c.Dir) },
	}
	return &Account{config: c, client: &http.Client{Transport: transport}}
}

// Abilities returns what the account can do. It has no reviewer: it knows no rights.
func (a *Account) Abilities() sluice.Account {
	return sluice.Account{ClusterReader: a, ClusterWriter: a, Host: a, Network: a, Adopter: a, Shifter: a, Volumes: a}
}

// call sends the request and fills response, which may be nil.
func call(ctx context.Context, a *Account, path string, request, response any) error {
	if err := a.dial(ctx); err != nil {
		return err
	}
	return a.ask(ctx, path, request, response)
}

// answer is call for requests that return something.
func answer[T any](ctx context.Context, a *Account, path string, request any) (response T, err error) {
	err = call(ctx, a, path, request, &response)
	return response, err
}

// ask is call without dialing the account.
func (a *Account) ask(ctx context.Context, path string, request, response any) error {
	body, err := a.post(ctx, path, request)
	if err != nil {
		return err
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		return away(ctx, err)
	}
	if response == nil {
		return nil
	}
	return kjson.UnmarshalCaseSensitivePreserveInts(b, response)
}

// stream sends the request and returns what the agent answers bit by bit.
func (a *Account) stream(ctx context.Context, path string, request any) (io.ReadCloser, error) {
	if err := a.dial(ctx); err != nil {
		return nil, err
	}
	return a.post(ctx, path, request)
}

// post sends the request. If no agent answers, it starts one and sends it again.
func (a *Account) post(ctx context.Context, path string, request any) (io.ReadCloser, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "the request cannot be written as JSON: %w", err)
	}
	resp, err := a.send(ctx, path, b)
	if err != nil && isGone(err) && ctx.Err() == nil && !a.config.Look {
		if err := a.ensure(ctx, heal); err != nil {
			return nil, err
		}
		resp, err = a.send(ctx, path, b)
	}
	if err != nil {
		return nil, away(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, a.outdated()
	}
	var f agent.Failure
	if err := json.NewDecoder(resp.Body).Decode(&f); err != nil {
		return nil, away(ctx, err)
	}
	return nil, f.Err()
}

func (a *Account) send(ctx context.Context, path string, body []byte) (*http.Response, error) {
	c := a.converse(ctx)
	r, err := http.NewRequestWithContext(c.ctx, http.MethodPost, "http://agent"+path, bytes.NewReader(body))
	if err != nil {
		c.end(err)
		return nil, err
	}
	agent.Stamp(r)
	resp, err := a.client.Do(r)
	if err != nil {
		defer c.end(err)
		return nil, c.explain(err)
	}
	resp.Body = reply{resp.Body, c}
	return resp, nil
}

// outdated is the error of a request that the agent does not know.
func (a *Account) outdated() error {
	id, err := a.agent()
	if err != nil {
		return err
	}
	return sluice.Errorf(sluice.Unsupported, "the agent of the local account %s (process %d) is of an earlier version",
		a.config.Name, id.PID).
		WithHint("end the process with: kill -9 %d\n"+
			"the next command starts another agent, which takes over the pods", id.PID)
}

// away turns a broken connection into Unavailable. The error of a cancelled call stays as it is.
func away(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, ok := errors.AsType[*sluice.Error](err); ok && !errors.Is(err, io.EOF) {
		return err
	}
	return sluice.Errorf(sluice.Unavailable, "the agent of the local account went away: %w", err)
}

// Get returns the object with its status, or NotFound.
func (a *Account) Get(ctx context.Context, ref sluice.Ref) (sluice.Object, error) {
	return answer[sluice.Object](ctx, a, "/get", ref)
}

// Apply applies the object. It removes every other field: only Sluice writes to the account.
func (a *Account) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	var r agent.ApplyResponse
	request := agent.ApplyRequest{Object: o, DryRun: dryRun}
	if a.config.Look {
		request.Images = a.config.Images
	}
	err := call(ctx, a, "/apply", request, &r)
	return r.Object, r.Outcome, err
}

// Restore applies the object as it was: only Sluice writes to the account.
func (a *Account) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	return a.Apply(ctx, was, dryRun)
}

// List returns the objects of the kind.
func (a *Account) List(ctx context.Context, apiVersion, kind, namespace string) ([]sluice.Object, error) {
	request := agent.WatchRequest{APIVersion: apiVersion, Kind: kind, Namespace: namespace}
	return answer[[]sluice.Object](ctx, a, "/list", request)
}

// Scale changes how many pods the workload wants, and nothing else.
func (a *Account) Scale(ctx context.Context, ref sluice.Ref, replicas int) error {
	return call(ctx, a, "/scale", agent.ScaleRequest{Ref: ref, Replicas: replicas}, nil)
}

// Evict ends the pod and returns when it has ended.
func (a *Account) Evict(ctx context.Context, namespace, pod string) error {
	return call(ctx, a, "/evict", agent.EvictRequest{Namespace: namespace, Pod: pod}, nil)
}

// Delete deletes the object and returns when it is gone, with all that belongs to it.
func (a *Account) Delete(ctx context.Context, ref sluice.Ref) error {
	return call(ctx, a, "/delete", ref, nil)
}

// Beside applies the canary. The names of its pods begin with the replica set.
func (a *Account) Beside(ctx context.Context, canary sluice.Object, replicaSet string) (sluice.Object,
	sluice.Outcome, error) {
	var r agent.ApplyResponse
	err := call(ctx, a, "/beside", agent.BesideRequest{Canary: canary, ReplicaSet: replicaSet}, &r)
	return r.Object, r.Outcome, err
}

// Orphan deletes the Deployment and leaves its pods.
func (a *Account) Orphan(ctx context.Context, ref sluice.Ref) error {
	return call(ctx, a, "/orphan", ref, nil)
}

// Pods lists the replicas in the namespace, "" for all of them, or those of the workloads alone, by name.
func (a *Account) Pods(ctx context.Context, namespace string, of ...sluice.Ref) ([]sluice.Pod, error) {
	all, err := answer[[]sluice.Pod](ctx, a, "/pods", namespace)
	return slices.DeleteFunc(all, func(p sluice.Pod) bool { return !p.IsOf(of) }), err
}

// Logs returns the last n lines that the pod wrote, also after it has ended.
func (a *Account) Logs(ctx context.Context, namespace, pod string, n int) ([]string, error) {
	return answer[[]string](ctx, a, "/logs", agent.LogsRequest{Namespace: namespace, Pod: pod, Lines: n})
}

// Exec runs a command in the pod's first container and returns what it printed.
func (a *Account) Exec(ctx context.Context, namespace, pod string, command []string) (string, error) {
	var out string
	err := call(ctx, a, "/exec", agent.ExecRequest{Namespace: namespace, Pod: pod, Command: command}, &out)
	if failed, ok := errors.AsType[agent.CommandError](err); ok {
		out = failed.Output
	}
	return out, err
}

// Address returns the host:port at which a Service's port answers.
func (a *Account) Address(ctx context.Context, namespace, service string, port int) (string, error) {
	return answer[string](ctx, a, "/address", agent.AddressRequest{Namespace: namespace, Service: service, Port: port})
}

// Transport returns a transport to the Service's port.
func (a *Account) Transport(ctx context.Context, namespace, service string, port int) (http.RoundTripper, error) {
	address, err := a.Address(ctx, namespace, service, port)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, address)
		},
	}, nil
}

// Weighs returns true: the proxy of a Service divides by weights.
func (a *Account) Weighs([]sluice.Traffic) bool { return true }

// Shift sends the percentage to the ready canary pods and the rest to the stable ones.
func (a *Account) Shift(ctx context.Context, d sluice.Division) error {
	request := agent.ShiftRequest{
		Namespace: d.Namespace, Service: d.Service, ReleaseLabel: d.Release, Percent: d.Percent,
	}
	return call(ctx, a, "/shift", request, nil)
}

// Release gives every pod that the Service selects its share of the traffic. An agent of an earlier version sends
// everything to the stable pods.
func (a *Account) Release(ctx context.Context, d sluice.Division) error {
	request := agent.ShiftRequest{Namespace: d.Namespace, Service: d.Service, Release: true}
	if err := call(ctx, a, "/shift", request, nil); sluice.ErrorCode(err) != sluice.NotFound {
		return err
	}
	return nil
}
