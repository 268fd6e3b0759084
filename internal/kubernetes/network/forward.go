package network

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// A forwardKey is the Service and port to which a local port leads.
type forwardKey struct {
	namespace, service string
	port               int
}

// forwards holds the local ports of an account. The zero value is ready to use.
type forwards struct {
	mu     sync.Mutex
	all    map[forwardKey]*forward
	closed bool
}

// open returns the forward to the Service, the same for every call.
func (f *forwards) open(n *Network, key forwardKey) (*forward, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, sluice.Errorf(sluice.Cancelled, "account %s is closed", n.client.Name())
	}
	if known, ok := f.all[key]; ok {
		return known, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, sluice.Errorf(sluice.Exhausted, "no local port is left for Service/%s: %w", key.service, err)
	}
	opened := &forward{network: n, key: key, listener: l, conns: map[io.Closer]bool{}}
	opened.ctx, opened.cancel = context.WithCancel(context.Background())
	if f.all == nil {
		f.all = map[forwardKey]*forward{}
	}
	f.all[key] = opened
	opened.running.Go(opened.accept)
	return opened, nil
}

func (f *forwards) close() {
	f.mu.Lock()
	all := f.all
	f.all, f.closed = nil, true
	f.mu.Unlock()
	for _, opened := range all {
		opened.close()
	}
}

// A forward carries the connections to one local port to a ready pod behind a Service.
type forward struct {
	network  *Network
	key      forwardKey
	listener net.Listener
	ctx      context.Context // of the forward, which outlives the call that opened it
	cancel   context.CancelFunc
	running  sync.WaitGroup

	dialing sync.Mutex // locked during the search for another pod
	to      backend
	stream  httpstream.Connection // to that pod, nil if there is none

	mu       sync.Mutex
	conns    map[io.Closer]bool
	requests int
}

// dialTimeout bounds how long a caller waits for a pod.
const dialTimeout = 30 * time.Second

// accept carries every connection until the listener is closed.
func (f *forward) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return
		}
		if !f.track(c) {
			return
		}
		f.running.Go(func() {
			defer f.untrack(c)
			f.carry(c.(*net.TCPConn))
		})
	}
}

// carry joins the connection with a pod. If there is none, it resets the connection, as a Service without pods does.
func (f *forward) carry(c *net.TCPConn) {
	ctx, cancel := context.WithTimeout(f.ctx, dialTimeout)
	defer cancel()
	t, err := f.tunnel(ctx)
	if err != nil {
		_ = c.SetLinger(0) // if the connection is gone, there is nothing to reset
		return
	}
	defer t.close()
	if err := t.join(c); err != nil {
		_ = c.SetLinger(0)
	}
}

// check finds a missing right, which would otherwise only show as a reset connection. It is fine that no pod is ready
// yet.
func (f *forward) check(ctx context.Context) error {
	_, _, err := f.connection(ctx)
	switch sluice.ErrorCode(err) {
	case "", sluice.Unavailable:
		return ctx.Err()
	}
	return err
}

// tunnel opens a tunnel to a ready pod, and tries another pod if that one has just gone.
func (f *forward) tunnel(ctx context.Context) (*tunnel, error) {
	for tries := 0; ; tries++ {
		stream, port, err := f.connection(ctx)
		if err != nil {
			return nil, err
		}
		t, err := newTunnel(stream, port, f.nextRequest())
		if err == nil || tries == 1 {
			return t, err
		}
		f.drop(stream)
	}
}

// connection returns the last connection if its pod is still ready, or a new one to another pod.
func (f *forward) connection(ctx context.Context) (httpstream.Connection, int, error) {
	f.dialing.Lock()
	defer f.dialing.Unlock()
	ready, err := f.network.backends(ctx, f.key)
	if err != nil {
		return nil, 0, err
	}
	if f.stream != nil && slices.Contains(ready, f.to) && !isClosed(f.stream) {
		return f.stream, f.to.Port, nil
	}
	if len(ready) == 0 {
		return nil, 0, sluice.Errorf(sluice.Unavailable, "no pod behind Service/%s in the namespace %s is ready",
			f.key.service, f.key.namespace)
	}
	for _, b := range ready {
		var stream httpstream.Connection
		if stream, err = f.network.dialPod(ctx, f.key.namespace, b.Pod); err != nil {
			continue
		}
		if !f.track(stream) {
			return nil, 0, context.Canceled
		}
		f.running.Go(func() {
			select {
			case <-stream.CloseChan():
			case <-f.ctx.Done(): // a connection to a pod that is gone may never say that it is closed
			}
			f.untrack(stream)
		})
		// The connection before this one still carries its tunnels, and ends with its pod or the forward.
		f.stream, f.to = stream, b
		return stream, b.Port, nil
	}
	return nil, 0, err
}

func isClosed(c httpstream.Connection) bool {
	select {
	case <-c.CloseChan():
		return true
	default:
		return false
	}
}

// drop forgets a connection that carries nothing any more.
func (f *forward) drop(stream httpstream.Connection) {
	f.dialing.Lock()
	if f.stream == stream {
		f.stream = nil
	}
	f.dialing.Unlock()
	f.untrack(stream)
}

func (f *forward) nextRequest() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	return f.requests
}

// track remembers what to close with the forward. It returns false if the forward is closed already.
func (f *forward) track(c io.Closer) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil {
		_ = c.Close() // nothing was sent on it
		return false
	}
	f.conns[c] = true
	return true
}

func (f *forward) untrack(c io.Closer) {
	f.mu.Lock()
	delete(f.conns, c)
	f.mu.Unlock()
	_ = c.Close() // both ends are done
}

func (f *forward) close() {
	f.mu.Lock()
	f.cancel()
	_ = f.listener.Close() // there is nobody to tell of an error
	for c := range f.conns {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

// dialPod opens a connection for streams to ports of the pod. It uses WebSocket, and SPDY if a server or proxy does not
// support that.
func (n *Network) dialPod(ctx context.Context, namespace, pod string) (httpstream.Connection, error) {
	op := "forward a port of pod " + pod
	at, err := n.client.URL(client.Path("v1", namespace, "pods", pod, "portforward"), nil)
	if err != nil {
		return nil, err
	}
	websocket, err := portforward.NewSPDYOverWebsocketDialer(at, n.client.Config())
	if err != nil {
		return nil, client.Wrap(op, err)
	}
	transport, upgrader, err := spdy.RoundTripperFor(n.client.Config())
	if err != nil {
		return nil, client.Wrap(op, err)
	}
	fallback := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	c, err := dial(ctx, portforward.NewFallbackDialer(websocket, fallback, client.LacksWebSocket))
	if err != nil {
		return nil, client.Wrap(op, err)
	}
	return c, nil
}

// dial ends with ctx, which the dialer itself ignores.
func dial(ctx context.Context, d httpstream.Dialer) (httpstream.Connection, error) {
	type dialled struct {
		connection httpstream.Connection
		err        error
	}
	done := make(chan dialled, 1)
	go func() {
		c, _, err := d.Dial(portforward.PortForwardProtocolV1Name)
		done <- dialled{c, err}
	}()
	select {
	case d := <-done:
		return d.connection, d.err
	case <-ctx.Done():
		go func() {
			if late := <-done; late.err == nil {
				_ = late.connection.Close() // nobody waits for it any more
			}
		}()
		return nil, ctx.Err()
	}
}

// A tunnel is a TCP connection to a port of a pod. It has a stream of bytes and a stream of errors.
type tunnel struct {
	connection httpstream.Connection
	data, fail httpstream.Stream
}

func newTunnel(c httpstream.Connection, port, request int) (*tunnel, error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(request))
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	fail, err := c.CreateStream(headers)
	if err != nil {
		return nil, client.Wrap("forward a port", err)
	}
	_ = fail.Close() // nothing is written on it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := c.CreateStream(headers)
	if err != nil {
		c.RemoveStreams(fail)
		return nil, client.Wrap("forward a port", err)
	}
	return &tunnel{c, data, fail}, nil
}

// join carries bytes both ways until the pod has sent all its bytes or cannot be reached.
func (t *tunnel) join(c *net.TCPConn) error {
	failed := make(chan error, 1)
	go func() {
		message, err := io.ReadAll(io.LimitReader(t.fail, client.MaxFailure))
		if len(message) > 0 {
			err = sluice.Errorf(sluice.Unavailable, "%s", message)
		}
		failed <- err
	}()
	go func() {
		_, _ = io.Copy(t.data, c) // a failure shows on the way back
		_ = t.data.Close()
	}()
	_, err := io.Copy(c, t.data)
	_ = t.data.Reset() // bytes that the caller still sends must not block other tunnels
	if err == nil {
		_ = c.CloseWrite()
	}
	if refused := <-failed; refused != nil {
		return refused
	}
	return err
}

func (t *tunnel) close() { t.connection.RemoveStreams(t.data, t.fail) }
