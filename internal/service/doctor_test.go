package service_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/service"
)

// adapters are a metric provider that answers and a cluster that does not.
type adapters struct{ dir string }

func (adapters) Cluster(context.Context, config.Account) (service.Cluster, error) {
	return nil, sluice.Errorf(sluice.Unavailable, "away")
}

func (adapters) Metrics() (map[string]sluice.Metrics, error) {
	return map[string]sluice.Metrics{"m": constant(1)}, nil
}

func (a adapters) RepositoryDir() string { return a.dir }
func (adapters) IsListening() bool       { return false }

func (adapters) ReadSecret(config.Source) (string, error) { return "", nil }

type constant float64

func (c constant) Measure(context.Context, string, time.Time) (float64, error) {
	return float64(c), nil
}

func examined(t *testing.T, c *config.Config) map[string]service.Check {
	t.Helper()
	d := service.Doctor{Config: c, Adapters: adapters{t.TempDir()}}
	d.Examine(t.Context())
	all := map[string]service.Check{}
	for _, check := range d.Checks {
		all[check.Name] = check
	}
	return all
}

func TestDoctorHidesThePasswordOfAProvider(t *testing.T) {
	c := config.Default()
	c.Metrics["m"] = config.Metrics{Name: "m", URL: "http://me:hush@127.0.0.1:9090"}
	got := examined(t, c)["metrics m"]
	if got.State != service.CheckOK || strings.Contains(got.Detail, "hush") ||
		!strings.Contains(got.Detail, "127.0.0.1:9090") {
		t.Errorf("got %+v", got)
	}
}

func TestDoctorReadsTheCertificatesOfWebhooks(t *testing.T) {
	c := config.Default()
	if _, checked := examined(t, c)["webhooks"]; checked {
		t.Error("certificates that are not configured were examined")
	}
	c.Webhooks.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if got := examined(t, c)["webhooks"]; got.State != service.CheckWrong || got.Hint == "" ||
		!strings.Contains(got.Detail, c.Webhooks.CAFile) {
		t.Errorf("without the file: %+v", got)
	}
	if err := os.WriteFile(c.Webhooks.CAFile, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := examined(t, c)["webhooks"]; got.State != service.CheckWrong ||
		!strings.Contains(got.Detail, "no certificate") {
		t.Errorf("with another file: %+v", got)
	}
}

// A callback from a cluster cannot reach this machine by a loopback address, whatever it is called.
func TestDoctorWarnsOfCallbacksThatNoClusterReaches(t *testing.T) {
	for name, test := range map[string]struct {
		address, url, state string
	}{
		"loopback":          {"127.0.0.1:0", "", service.CheckWarning},
		"by its name":       {"localhost:0", "", service.CheckWarning},
		"another one":       {"127.0.0.2:0", "", service.CheckWarning},
		"all addresses":     {"0.0.0.0:0", "", service.CheckOK},
		"all, without host": {":0", "", service.CheckOK},
		"loopback URL":      {"0.0.0.0:0", "http://localhost:80", service.CheckWarning},
		"URL":               {"127.0.0.1:0", "http://192.0.2.1/sluice", service.CheckOK},
		"unknown name":      {"127.0.0.1:0", "http://ci.invalid/sluice", service.CheckWarning},
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			c.Accounts["east"] = config.Account{Name: "east", Type: config.AccountKubernetes}
			c.Webhooks.CallbackAddress, c.Webhooks.CallbackURL = test.address, test.url
			if got := examined(t, c)["callbacks"]; got.State != test.state {
				t.Errorf("got %+v, want %s", got, test.state)
			}
		})
	}
}

// catalogue lists one checkpoint.
type catalogue struct{ sluice.Catalogue }

func (catalogue) Checkpoints(context.Context, string) ([]sluice.Checkpoint, error) {
	return make([]sluice.Checkpoint, 1), nil
}

// A bucket is no directory that could be lost.
func TestDoctorReadsTheKeysOfABucket(t *testing.T) {
	c := config.Default()
	c.Repository.S3 = &config.S3{Endpoint: "https://s3.example.com", Bucket: "checkpoints"}
	d := service.Doctor{Config: c, Adapters: adapters{"absent"}, Catalogue: catalogue{}}
	d.Examine(t.Context())
	i := slices.IndexFunc(d.Checks, func(c service.Check) bool { return c.Name == "repository" })
	if c := d.Checks[i]; c.State != service.CheckOK || !strings.Contains(c.Detail, "checkpoints at https://s3.") {
		t.Errorf("the repository in a bucket: %+v", c)
	}
}

func TestDoctorMissesCheckpoints(t *testing.T) {
	dir := t.TempDir()
	repository := func() service.Check {
		d := service.Doctor{Config: config.Default(), Adapters: adapters{dir}, Catalogue: catalogue{}}
		d.Examine(t.Context())
		i := slices.IndexFunc(d.Checks, func(c service.Check) bool { return c.Name == "repository" })
		return d.Checks[i]
	}
	if c := repository(); c.State != service.CheckWarning || !strings.Contains(c.Detail, "1 checkpoint") || c.Hint == "" {
		t.Errorf("without the repository: %+v", c)
	}
	if err := os.WriteFile(filepath.Join(dir, "kept"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c := repository(); c.State != service.CheckOK {
		t.Errorf("with it: %+v", c)
	}
}
