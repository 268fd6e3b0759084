package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

func TestParse(t *testing.T) {
	c, ds := config.Parse("/etc/app/sluice.yaml", []byte(`
accounts:
  local:
    type: local
    images:
      "shop:1.0": {command: [bin/shop, --release, "1.0"], dir: run, env: {PORT: 8080}}
      "mongo:7": {command: [mongod]}
  cluster: {type: kubernetes, kubeconfig: ../kube/config, context: admin@east}
  own: {type: kubernetes, inCluster: true}
metrics:
  prometheus: {type: prometheus, url: "http://127.0.0.1:9090", username: me, password: {env: PROM}}
secrets:
  mongo_password: {file: secret/mongo}
repository: {path: /srv/checkpoints, password: {env: REPO}}
webhooks:
  callbackAddress: 127.0.0.1:7777
  callbackURL: https://ci.example.com/sluice/
  allow: [localhost]
  replace: {"https://api.github.com": "http://127.0.0.1:9999"}
retryFor: 1m30s
`))
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	want := &config.Config{
		Server:   config.Server{Listen: config.DefaultListen},
		RetryFor: 90 * time.Second,
		File:     "/etc/app/sluice.yaml",
		Accounts: map[string]config.Account{
			"local": {Name: "local", Type: "local", Images: map[string]config.Image{
				"shop:1.0": {Command: []string{"/etc/app/bin/shop", "--release", "1.0"}, Dir: "/etc/app/run",
					Env: map[string]string{"PORT": "8080"}},
				"mongo:7": {Command: []string{"mongod"}, Dir: "/etc/app", Env: map[string]string{}},
			}},
			"cluster": {Name: "cluster", Type: "kubernetes", Images: map[string]config.Image{}, Kubeconfig: "/etc/kube/config",
				Context: "admin@east"},
			"own": {Name: "own", Type: "kubernetes", Images: map[string]config.Image{}, InCluster: true},
		},
		Metrics: map[string]config.Metrics{
			"prometheus": {Name: "prometheus", Type: "prometheus", URL: "http://127.0.0.1:9090", Username: "me",
				Password: config.Source{Env: "PROM"}},
		},
		Secrets:    map[string]config.Source{"mongo_password": {File: "/etc/app/secret/mongo"}},
		Repository: config.Repository{Path: "/srv/checkpoints", Password: config.Source{Env: "REPO"}},
		Webhooks: config.Webhooks{
			CallbackAddress: "127.0.0.1:7777", CallbackURL: "https://ci.example.com/sluice", Allow: []string{"localhost"},
			Replace: map[string]string{"https://api.github.com": "http://127.0.0.1:9999"},
		},
	}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreTypes(sluice.Position{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseReadsABucket(t *testing.T) {
	c, ds := config.Parse("/etc/app/sluice.yaml", []byte(`
repository:
  s3:
    endpoint: https://s3.example.com
    bucket: checkpoints
    prefix: shop/
    region: eu-central-1
    accessKey: {env: KEY}
    secretKey: {file: secrets/s3}
    caFile: ca.pem
`))
	want := config.Repository{S3: &config.S3{
		Endpoint: "https://s3.example.com", Bucket: "checkpoints", Prefix: "shop/", Region: "eu-central-1",
		AccessKey: config.Source{Env: "KEY"}, SecretKey: config.Source{File: "/etc/app/secrets/s3"},
		CAFile: "/etc/app/ca.pem",
	}}
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	if diff := cmp.Diff(want, c.Repository, cmpopts.IgnoreTypes(sluice.Position{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseReadsJobs(t *testing.T) {
	c, ds := config.Parse("/etc/app/sluice.yaml", []byte(`
accounts:
  east: {type: kubernetes, job: {image: "registry.internal/sluice:1.4.0", user: 1000, cpu: "4", memory: 1Gi}}
jobs: {listen: "0.0.0.0:7443", address: "sluice.example.com:7443"}
`))
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	want := config.Job{Image: "registry.internal/sluice:1.4.0", User: 1000, CPU: "4", Memory: "1Gi"}
	if diff := cmp.Diff(want, c.Accounts["east"].Job); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(config.Jobs{Listen: "0.0.0.0:7443", Address: "sluice.example.com:7443"}, c.Jobs); diff != "" {
		t.Error(diff)
	}
}

func TestParseFaults(t *testing.T) {
	tests := map[string]struct {
		in   string
		want []string
	}{
		"unknown key with the nearest": {
			"acounts: {}\n",
			[]string{`s.yaml:1:1: error: unknown key "acounts" [unknown-key] did you mean accounts?`},
		},
		"unknown key with nothing near": {
			"secrets:\n  a: {environment: X}\n",
			[]string{
				`s.yaml:2:6: error: a secret needs exactly one of env and file [bad-combination] write {env: NAME} or {file: path}`,
				`s.yaml:2:7: error: unknown key "environment" [unknown-key] known keys: env, file`,
			},
		},
		"all at once, in the order of the file": {
			"metrics:\n  p: {url: nowhere}\naccounts:\n  a: {type: docker}\n  b: {images: {x: {dir: .}}}\n",
			[]string{
				`s.yaml:2:12: error: "nowhere" is not an http or https URL [bad-value] write it like http://127.0.0.1:9090`,
				`s.yaml:4:13: error: "docker" is not supported here [bad-value] write local or kubernetes`,
				`s.yaml:5:19: error: this image has no command [missing-key] add the command, like command: [bin/shop, --port, ` +
					`"8080"]`,
			},
		},
		"jobs": {
			"accounts: {a: {job: {}}, b: {type: kubernetes, job: {user: root}}, c: {type: kubernetes, job: {user: 0}}}\n" +
				"jobs: {listen: 7443}\n",
			[]string{
				`s.yaml:1:15: error: a local account has no job [bad-value] write type: kubernetes, or remove job`,
				`s.yaml:1:60: error: "root" is not the number of a user [bad-value] write its number, like 1000, or remove ` +
					`the line for root`,
				`s.yaml:1:102: error: "0" is not the number of a user [bad-value] write its number, like 1000, or remove ` +
					`the line for root`,
				`s.yaml:2:16: error: "7443" does not have the form host:port [bad-value] write it like 127.0.0.1:0, where 0 ` +
					`is any free port`,
			},
		},
		"duplicate": {
			"secrets: {}\nsecrets: {}\n",
			[]string{`s.yaml:2:1: error: the key "secrets" is repeated [duplicate-key] remove one of them`},
		},
		"wrong type": {
			"accounts: [local]\n",
			[]string{`s.yaml:1:11: error: expected a mapping, found a list [wrong-type] write it as key: value pairs`},
		},
		"credentials of two kinds": {
			"metrics: {p: {url: 'http://x', username: a, bearer: {env: T}}}\n",
			[]string{`s.yaml:1:14: error: bearer excludes username and password [bad-combination] keep bearer, or username ` +
				`and password`},
		},
		"a kubeconfig without a cluster": {
			"accounts: {a: {kubeconfig: x}, b: {type: local, inCluster: true}}\n",
			[]string{
				`s.yaml:1:15: error: a local account has no kubeconfig [bad-value] write type: kubernetes, or remove kubeconfig`,
				`s.yaml:1:35: error: a local account has no inCluster [bad-value] write type: kubernetes, or remove inCluster`,
			},
		},
		"two ways to a cluster": {
			"accounts: {a: {type: kubernetes, inCluster: true, context: x}, b: {type: kubernetes, inCluster: yes}}\n",
			[]string{
				`s.yaml:1:15: error: inCluster excludes kubeconfig and context [bad-combination] keep inCluster: true, or ` +
					`kubeconfig and context`,
				`s.yaml:1:97: error: "yes" is neither true nor false [bad-value] write true or false`,
			},
		},
		"a repository in two places": {
			"repository: {path: x, s3: {endpoint: 'http://x', bucket: b, accessKey: {env: A}, secretKey: {env: B}}}\n",
			[]string{`s.yaml:1:13: error: a repository is in a directory or in a bucket, not in both [bad-combination] keep ` +
				`path or s3`},
		},
		"a bucket without its keys": {
			"repository: {s3: {endpoint: x, bucket: b, acesKey: {env: A}}}\n",
			[]string{
				`s.yaml:1:18: error: this bucket has no accessKey [missing-key] add accessKey; docs/configuration.md has an ` +
					`example`,
				`s.yaml:1:18: error: this bucket has no secretKey [missing-key] add secretKey; docs/configuration.md has an ` +
					`example`,
				`s.yaml:1:29: error: "x" is not an http or https URL [bad-value] write it like http://127.0.0.1:9090`,
				`s.yaml:1:43: error: unknown key "acesKey" [unknown-key] did you mean accessKey?`,
			},
		},
		"address without a port": {
			"webhooks: {callbackAddress: localhost}\n",
			[]string{`s.yaml:1:29: error: "localhost" does not have the form host:port [bad-value] write it like ` +
				`127.0.0.1:0, where 0 is any free port`},
		},
		"not YAML": {
			"accounts:\n\t- x\n",
			[]string{`s.yaml:2:1: error: the line is indented with a tab [yaml-syntax] indent with spaces`},
		},
		"two mistakes of YAML, and one more": {
			"metrics:\n  a: {url: 1}\nsecrets:\n  b: @x\n  c: %y\n",
			[]string{
				`s.yaml:2:12: error: "1" is not an http or https URL [bad-value] write it like http://127.0.0.1:9090`,
				`s.yaml:4:6: error: YAML reserves @, so a value cannot begin with it [yaml-syntax] put it in quotes: "@x"`,
				`s.yaml:4:6: error: expected a mapping, found "@x" [wrong-type] write it as key: value pairs`,
				`s.yaml:5:6: error: YAML reserves %, so a value cannot begin with it [yaml-syntax] put it in quotes: "%y"`,
				`s.yaml:5:6: error: expected a mapping, found "%y" [wrong-type] write it as key: value pairs`,
			},
		},
		"empty name": {
			"secrets: {'': {env: A}}\n",
			[]string{`s.yaml:1:11: error: a name is empty [missing-key] write a name before the colon`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, ds := config.Parse("s.yaml", []byte(tt.in))
			var got []string
			for _, d := range ds {
				got = append(got, d.String()+" "+d.Hint)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if c != nil {
				t.Error("a faulty file gave a configuration")
			}
		})
	}
}

func TestEmptyIsDefault(t *testing.T) {
	for _, in := range []string{"", "# nothing\n", "---\n"} {
		c, ds := config.Parse("s.yaml", []byte(in))
		want := config.Default()
		want.File = "s.yaml"
		if len(ds) > 0 || !cmp.Equal(want, c) {
			t.Errorf("%q: %v %s", in, ds, cmp.Diff(want, c))
		}
	}
}

func TestFindAndLoad(t *testing.T) {
	empty, full := t.TempDir(), t.TempDir()
	path := filepath.Join(full, config.FileName)
	if err := os.WriteFile(path, []byte("secrets: {a: {env: A}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := config.Find(empty, full); got != path || err != nil {
		t.Errorf("Find = %q, %v", got, err)
	}
	if got, err := config.Find(empty); got != "" || err != nil {
		t.Errorf("Find without a file = %q, %v", got, err)
	}
	if c, err := config.Load(path); err != nil || c.Secrets["a"].Env != "A" {
		t.Errorf("Load = %v, %v", c, err)
	}
	if _, err := config.Load(filepath.Join(empty, "x")); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("Load of nothing = %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("accounts: {local: {images: {a: {command: [b]}}}}"))
	f.Add([]byte("a: &a [*a]\nsecrets: *a"))
	f.Add([]byte("metrics: {p: {url: 1}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, ds := config.Parse("s.yaml", data)
		if (c == nil) != ds.HasErrors() {
			t.Errorf("config %v with %v", c, ds)
		}
		for _, d := range ds {
			if !d.Pos.IsValid() || d.Message == "" {
				t.Errorf("finding without place or message: %v", d)
			}
		}
	})
}
