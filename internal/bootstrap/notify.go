package bootstrap

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/notify"
	"github.com/sluice-cd/sluice/internal/server"
)

// lagPatience is how long a scrape waits for the store.
const lagPatience = 5 * time.Second

// onlooker sees what everybody sees who may view everything: no keys of databases.
var onlooker = access.Caller{
	Actor: sluice.Actor{Name: "notifications"}, Grants: []access.Grant{{Verbs: []access.Verb{access.View}}},
}

// notify tells the receivers of sluice.yaml what happens from now on, until ctx ends.
func (o *owner) notify(ctx context.Context, i Instance, kept *sync.WaitGroup) {
	receivers := i.Config.Server.Receivers
	if len(receivers) == 0 {
		return
	}
	var readers []*notify.Reader
	seen := server.New(server.Config{Store: o.store}).Visible(onlooker)
	for _, to := range receivers {
		sender := i.Dir.sender(i.Config, to, i.Address)
		if err := sender.Check(); err != nil {
			i.Note("warning: the receiver %s will get no notifications: %v", to.Name, err)
		}
		readers = append(readers, &notify.Reader{
			To: to, Sender: sender, Feed: seen, Place: o.store, Address: i.Address, Redact: i.Dir.redactor.Text,
			Logger: i.observed.log, Wait: every,
		})
	}
	tally := i.observed.metrics.Notifications(func() map[string]int64 { return behind(o.store, readers) })
	for _, r := range readers {
		r.Tally = tally
		_, _ = r.Begin(ctx) // before the server takes deployments; Run does it again and says what is wrong
		kept.Go(func() { r.Run(ctx) })
	}
}

// behind returns how many events the slowest reader of each kind is behind. A store that does not answer leaves all out
// for which this process reads.
func behind(store sluice.Tail, readers []*notify.Reader) map[string]int64 {
	all := map[string]int64{}
	ctx, cancel := context.WithTimeout(context.Background(), lagPatience)
	defer cancel()
	at := make([]sluice.Cursor, len(readers)) // before the newest is read, so that no reader is ahead
	for i, r := range readers {
		at[i], _ = r.Position()
		all[r.To.Kind()] = 0
	}
	newest, err := store.Newest(ctx)
	for i, r := range readers {
		if _, reads := r.Position(); reads && err == nil {
			all[r.To.Kind()] = max(all[r.To.Kind()], int64(newest-at[i]))
		} else if reads {
			delete(all, r.To.Kind())
		}
	}
	return all
}

// sender returns what sends to the receiver.
func (d StateDir) sender(c *config.Config, to config.Receiver, address string) notify.Sender {
	return notify.NewSender(to, notify.Outside{
		Client: webhookClient(c.Webhooks), Read: d.redactor.Read, Now: time.Now, Address: address,
	})
}

// CheckReceiver finds what the receiver certainly lacks, such as a secret. It sends nothing.
func (w *Wiring) CheckReceiver(to config.Receiver) error {
	return w.dir.sender(w.config, to, w.config.Server.URL()).Check()
}

// TestReceiver sends one test to the receiver with the name and returns its kind. An unknown name is NotFound.
func (d StateDir) TestReceiver(ctx context.Context, c *config.Config, name string) (kind string, err error) {
	named := func(to config.Receiver) bool { return to.Name == name }
	i := slices.IndexFunc(c.Server.Receivers, named)
	if i < 0 {
		return "", unknownReceiver(c, name)
	}
	to := c.Server.Receivers[i]
	n := notify.Test(to, "test-"+rand.Text(), time.Now(), c.Server.URL())
	return to.Kind(), d.sender(c, to, c.Server.URL()).Send(ctx, n)
}

func unknownReceiver(c *config.Config, name string) error {
	var known []string
	for _, to := range c.Server.Receivers {
		known = append(known, to.Name)
	}
	err := sluice.Errorf(sluice.NotFound, "there is no receiver %q in sluice.yaml", name)
	if len(known) == 0 {
		return err.WithHint("add it below server.notifications; docs/notifications.md has examples")
	}
	return err.WithHint("there are: %s", strings.Join(known, ", "))
}
