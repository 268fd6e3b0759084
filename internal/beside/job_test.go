package beside_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/besidetest"
)

// objects returns what the work made in the cluster, by kind.
func objects(t *testing.T, c *besidetest.Cluster) map[string]sluice.Object {
	t.Helper()
	all := map[string]sluice.Object{}
	for kind, apiVersion := range map[string]string{"Job": "batch/v1", "Secret": "v1", "Service": "v1"} {
		list, err := c.List(t.Context(), apiVersion, kind, "shop")
		if err != nil || len(list) > 1 {
			t.Fatalf("%d objects of the kind %s, %v", len(list), kind, err)
		}
		for _, o := range list {
			all[kind] = o
		}
	}
	return all
}

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// The Job's key is in its Secret alone, and Sluice's own key is nowhere.
func TestKeysAreInTheSecretAlone(t *testing.T) {
	c := besidetest.New(t, answering(nil))
	open(t, c.Bench(beside.Options{}), beside.Work{Place: c.Place("shop"), Name: "sluice-test"})
	ours, theirs := secret(t, beside.EndpointSecret), secret(t, "job cluster/shop/sluice-test")
	all := objects(t, c)
	config := decoded(t, all["Secret"])
	if string(config["secret"]) != theirs || strings.Contains(string(config["connection.json"]), ours) {
		t.Errorf("the Secret has %s", config)
	}
	delete(all, "Secret")
	if said := text(t, all); strings.Contains(said, ours) || strings.Contains(said, theirs) || len(all) != 2 {
		t.Errorf("a key is in %s", said)
	}
}

func decoded(t *testing.T, secret sluice.Object) map[string][]byte {
	t.Helper()
	var data struct {
		Data map[string][]byte `json:"data"`
	}
	if err := json.Unmarshal([]byte(text(t, secret)), &data); err != nil {
		t.Fatal(err)
	}
	return data.Data
}

// A pod has the rights that its work needs, and no others.
func TestRightsOfThePod(t *testing.T) {
	volumes := []sluice.Volume{{Claim: "data", Mount: "data-copy"}}
	for name, c := range map[string]struct {
		work beside.Work
		user float64
		add  string
	}{
		"no volumes":        {beside.Work{}, 65532, "null"},
		"volumes to read":   {beside.Work{Volumes: volumes, ReadOnly: true}, 0, `["DAC_OVERRIDE"]`},
		"volumes to change": {beside.Work{Volumes: volumes}, 0, `["CHOWN","DAC_OVERRIDE","FOWNER","FSETID"]`},
	} {
		cluster := besidetest.New(t, answering(nil))
		c.work.Place, c.work.Name = cluster.Place("shop"), "sluice-test"
		open(t, cluster.Bench(beside.Options{}), c.work)
		all := objects(t, cluster)
		pod := sluice.Object(all["Job"].Field("spec", "template", "spec").(map[string]any))
		container := pod.List("containers")[0]
		if got := text(t, container.Field("securityContext", "capabilities", "add")); got != c.add {
			t.Errorf("%s: the capabilities %s", name, got)
		}
		if got := container.Number(-1, "securityContext", "runAsUser"); got != int(c.user) {
			t.Errorf("%s: the user %d", name, got)
		}
		if pod["automountServiceAccountToken"] != false ||
			container.Field("securityContext", "readOnlyRootFilesystem") != true ||
			container.Field("securityContext", "allowPrivilegeEscalation") != false {
			t.Errorf("%s: the pod %s", name, text(t, pod))
		}
	}
}

// The cluster removes what belongs to a Job that it removes.
func TestEverythingBelongsToTheJob(t *testing.T) {
	c := besidetest.New(t, answering(nil))
	open(t, c.Bench(beside.Options{}), beside.Work{Place: c.Place("shop"), Name: "sluice-test"})
	all := objects(t, c)
	for _, kind := range []string{"Secret", "Service"} {
		owners := all[kind].List("metadata", "ownerReferences")
		if len(owners) != 1 || owners[0].Text("kind") != "Job" || owners[0].Text("name") != "sluice-test" {
			t.Errorf("%s belongs to %v", kind, owners)
		}
	}
}

// A Job of another version of Sluice cannot be called, so it is replaced.
func TestAnotherImageIsAnotherJob(t *testing.T) {
	c := besidetest.New(t, answering(nil))
	w := beside.Work{Place: c.Place("shop"), Name: "sluice-test"}
	open(t, c.Bench(beside.Options{}), w).Close()
	newer := beside.New(beside.Options{
		Settings: func(string) beside.Settings { return beside.Settings{Image: "newer:unready"} },
		Secret:   besidetest.Secret,
	})
	double(t, open(t, newer, w), 3)
	if c.Made() != 2 {
		t.Errorf("%d pods were made", c.Made())
	}
}

func TestAnAccountWithoutJobs(t *testing.T) {
	b := beside.New(beside.Options{Settings: func(string) beside.Settings { return beside.Settings{} }})
	w := beside.Work{Place: sluice.Place{Name: "local"}, Name: "sluice-test"}
	if _, err := b.Open(t.Context(), w); sluice.ErrorCode(err) != sluice.Unsupported {
		t.Error(err)
	}
	if err := b.End(t.Context(), w.Place, w.Name); err != nil {
		t.Error(err)
	}
}

func TestOpenIsInterrupted(t *testing.T) {
	c := besidetest.New(t, answering(nil))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-ctx.Done()
	_, err := c.Bench(beside.Options{}).Open(ctx, beside.Work{Place: c.Place("shop"), Name: "sluice-test"})
	if err == nil || c.Made() != 0 {
		t.Errorf("%d pods, %v", c.Made(), err)
	}
}
