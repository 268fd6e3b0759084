package local

import (
	"context"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// A Lazy account is dialled when it is first used, so that who never uses it starts nothing. It is safe for
// concurrent use.
type Lazy struct {
	config Config

	mu     sync.Mutex
	opened *Account
}

var _ sluice.Account = (*Lazy)(nil)

// NewLazy returns the account of the configuration without looking whether its agent runs.
func NewLazy(c Config) *Lazy { return &Lazy{config: c} }

// open dials once; what failed is tried again by the next call.
func (l *Lazy) open(ctx context.Context) (*Account, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opened != nil {
		return l.opened, nil
	}
	a, err := Dial(ctx, l.config)
	if err != nil {
		return nil, err
	}
	l.opened = a
	return a, nil
}

// through calls the account, dialling it first.
func through[T any](ctx context.Context, l *Lazy, use func(*Account) (T, error)) (T, error) {
	a, err := l.open(ctx)
	if err != nil {
		var zero T
		return zero, err
	}
	return use(a)
}

// do is through for what returns nothing.
func (l *Lazy) do(ctx context.Context, use func(*Account) error) error {
	a, err := l.open(ctx)
	if err != nil {
		return err
	}
	return use(a)
}

// Get is that of Account.
func (l *Lazy) Get(ctx context.Context, ref sluice.Ref) (sluice.Object, error) {
	return through(ctx, l, func(a *Account) (sluice.Object, error) { return a.Get(ctx, ref) })
}

// Apply is that of Account.
func (l *Lazy) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	a, err := l.open(ctx)
	if err != nil {
		return nil, "", err
	}
	return a.Apply(ctx, o, dryRun)
}

// Restore is that of Account.
func (l *Lazy) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	return l.Apply(ctx, was, dryRun)
}

// List is that of Account.
func (l *Lazy) List(ctx context.Context, apiVersion, kind, namespace string) ([]sluice.Object, error) {
	return through(ctx, l, func(a *Account) ([]sluice.Object, error) { return a.List(ctx, apiVersion, kind, namespace) })
}

// Scale is that of Account.
func (l *Lazy) Scale(ctx context.Context, ref sluice.Ref, replicas int) error {
	return l.do(ctx, func(a *Account) error { return a.Scale(ctx, ref, replicas) })
}

// Evict is that of Account.
func (l *Lazy) Evict(ctx context.Context, namespace, pod string) error {
	return l.do(ctx, func(a *Account) error { return a.Evict(ctx, namespace, pod) })
}

// Delete is that of Account.
func (l *Lazy) Delete(ctx context.Context, ref sluice.Ref) error {
	return l.do(ctx, func(a *Account) error { return a.Delete(ctx, ref) })
}

// Watch is that of Account.
func (l *Lazy) Watch(ctx context.Context, apiVersion, kind, namespace string) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		a, err := l.open(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		a.Watch(ctx, apiVersion, kind, namespace)(yield)
	}
}

// Follow is that of Account.
func (l *Lazy) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		a, err := l.open(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		a.Follow(ctx, ref)(yield)
	}
}

// Pods is that of Account.
func (l *Lazy) Pods(ctx context.Context, namespace string) ([]sluice.Pod, error) {
	return through(ctx, l, func(a *Account) ([]sluice.Pod, error) { return a.Pods(ctx, namespace) })
}

// Logs is that of Account.
func (l *Lazy) Logs(ctx context.Context, namespace, pod string, n int) ([]string, error) {
	return through(ctx, l, func(a *Account) ([]string, error) { return a.Logs(ctx, namespace, pod, n) })
}

// Exec is that of Account.
func (l *Lazy) Exec(ctx context.Context, namespace, pod string, command []string) (string, error) {
	return through(ctx, l, func(a *Account) (string, error) { return a.Exec(ctx, namespace, pod, command) })
}

// Address is that of Account.
func (l *Lazy) Address(ctx context.Context, namespace, service string, port int) (string, error) {
	return through(ctx, l, func(a *Account) (string, error) { return a.Address(ctx, namespace, service, port) })
}

// Transport is that of Account.
func (l *Lazy) Transport(ctx context.Context, namespace, service string, port int) (http.RoundTripper, error) {
	return through(ctx, l, func(a *Account) (http.RoundTripper, error) { return a.Transport(ctx, namespace, service, port) })
}

// Weighs is that of Account.
func (l *Lazy) Weighs([]sluice.Traffic) bool { return true }

// Shift is that of Account.
func (l *Lazy) Shift(ctx context.Context, d sluice.Division) error {
	return l.do(ctx, func(a *Account) error { return a.Shift(ctx, d) })
}

// Release is that of Account.
func (l *Lazy) Release(ctx context.Context, d sluice.Division) error {
	return l.do(ctx, func(a *Account) error { return a.Release(ctx, d) })
}

// Cut is that of Account.
func (l *Lazy) Cut(ctx context.Context, namespace string, claims []string, generation string, lease time.Duration) (sluice.Cut, error) {
	return through(ctx, l, func(a *Account) (sluice.Cut, error) { return a.Cut(ctx, namespace, claims, generation, lease) })
}

// Stage is that of Account.
func (l *Lazy) Stage(ctx context.Context, namespace, claim, generation string) (sluice.Volume, error) {
	return through(ctx, l, func(a *Account) (sluice.Volume, error) { return a.Stage(ctx, namespace, claim, generation) })
}

// Use is that of Account.
func (l *Lazy) Use(ctx context.Context, namespace, claim, generation string) (string, error) {
	return through(ctx, l, func(a *Account) (string, error) { return a.Use(ctx, namespace, claim, generation) })
}

// Discard is that of Account.
func (l *Lazy) Discard(ctx context.Context, namespace, claim, generation string) error {
	return l.do(ctx, func(a *Account) error { return a.Discard(ctx, namespace, claim, generation) })
}
