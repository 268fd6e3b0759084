package data

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
	"github.com/sluice-cd/sluice/examples/shop/orders"
)

// TestCheckpointsWithoutSluice runs the commands of docs/data.md that get a checkpoint back without Sluice.
func TestCheckpointsWithoutSluice(t *testing.T) {
	t.Run("csi", func(t *testing.T) {
		p := newPage(t, "csi", "")
		defer p.forget()
		want := p.orders(p.World)
		p.Delete("StatefulSet", "mongo")
		p.Delete("PersistentVolumeClaim", "mongo-data")
		content := p.List("VolumeSnapshotContent.snapshot.storage.k8s.io", "sluice-cd.github.io/kept")[0].Ref().Name
		out := p.run("Copies of csi are", "NAMESPACE", p.Namespace, "NAME", content)
		if !strings.Contains(out, "claim: mongo-data") {
			t.Errorf("nothing names the claim:\n%s", out)
		}
		p.Put(strings.Replace(p.manifest("mongo-1.23.yaml"), "spec:", "spec:\n  dataSource: "+
			"{apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: "+content+"}", 1))
		p.Ready("StatefulSet", "mongo")
		p.compare(want, p.orders(p.World))
		p.Delete("StatefulSet", "mongo")
		p.Delete("PersistentVolumeClaim", "mongo-data")
		p.Delete("VolumeSnapshot.snapshot.storage.k8s.io", content)
	})
	t.Run("kopia", func(t *testing.T) {
		if !long {
			t.Skip("E2E_LONG is not set; building kopia takes a minute")
		}
		p := newPage(t, "kopia", "repository: {path: checkpoints, password: {file: password}}\n")
		defer p.forget()
		p.build("kopia", filepath.Join("..", "kopia"), "github.com/kopia/kopia")
		p.build("mongo-server", examples("ferretdb-1.23"), ".")
		found := p.run("Copies of kopia are", "/srv/checkpoints", filepath.Join(p.Dir, "checkpoints"),
			"secrets/repository", filepath.Join(p.Dir, "password"),
			"ID", `"$(kopia snapshot list --all | grep -om1 'k[0-9a-f]\{32\}')"`)
		if !regexp.MustCompile(`/0-mongo-data`).MatchString(found) {
			t.Errorf("the list does not name the claim:\n%s", found)
		}
		p.compare(p.orders(p.World), p.serve(filepath.Join(p.scratch, "restored")))
	})
}

// TestExchangeWithoutSluice brings back the data of before by hand, when Sluice is killed between the old volume and
// the new one and never comes back.
func TestExchangeWithoutSluice(t *testing.T) {
	if !long {
		t.Skip("E2E_LONG is not set; kills in an exchange are tried with Sluice, which needs no page")
	}
	p := newPage(t, "csi", "")
	want := p.orders(p.World)
	p.Write("back.yaml", p.adapt(fmt.Sprintf(backFile, p.Namespace)))
	volume := func() string {
		for _, c := range p.List("PersistentVolumeClaim", "") {
			if c.Ref().Name == "mongo-data" {
				return c.Text("spec", "volumeName")
			}
		}
		return ""
	}
	before := volume()
	process := p.start("back")
	p.Await("the exchange", func() bool { return volume() != before })
	process.Kill()

	listed := p.run("in the middle of an exchange", "WORKLOAD", "StatefulSet/mongo", "NAMESPACE", p.Namespace,
		"CLAIM", "mongo-data", "BEFORE", before)
	if row := regexp.MustCompile(p.Namespace + ` +mongo-data +` + before); !row.MatchString(listed) {
		t.Errorf("the list does not name %s:\n%s", before, listed)
	}
	p.Put(strings.Replace(p.claim(), "spec:", "spec:\n  volumeName: "+before, 1))
	p.Scale("StatefulSet", "mongo", 1)
	p.Ready("StatefulSet", "mongo")
	p.compare(want, p.orders(p.World))

	p.mustSluice("cancel") // it comes back after all
	p.Ends(sluice.StatusCancelled, p.Start("run", "--resume"))
	p.compare(want, p.orders(p.World))
	p.forget()
}

// claim returns the manifest of the database's claim.
func (p page) claim() string {
	p.Helper()
	for _, text := range strings.Split(p.manifest("mongo-1.23.yaml"), "\n---\n") {
		if strings.Contains(text, "kind: PersistentVolumeClaim") {
			return text
		}
	}
	p.Fatal("the manifest has no claim")
	return ""
}

// A page is docs/data.md, beside a shop of which there is a checkpoint.
type page struct {
	*shop
	scratch string // where its commands run
	bin     string // where they find their programs
}

func newPage(t *testing.T, mover, settings string) page {
	if !world.Pair().Owned {
		t.Skip("a person's own clusters may have another kubectl")
	}
	h := &shop{World: world.New(t), storage: storage{class: "csi", mover: mover}}
	h.staging = h.World
	h.Write("password", "open sesame")
	h.Configure(settings)
	h.write()
	h.Write("kept.yaml", h.adapt(kept))
	h.deliver("kept")
	p := page{h, t.TempDir(), t.TempDir()}
	state := filepath.Dir(world.Pair().Kubeconfig)
	if err := os.Symlink(filepath.Join(state, "bin", "node"), filepath.Join(p.bin, "kubectl")); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p page) build(name, module, pkg string) {
	p.Helper()
	c := exec.CommandContext(p.Context(), "go", "build", "-buildvcs=false", "-o", filepath.Join(p.bin, name), pkg)
	c.Dir = module
	if out, err := c.CombinedOutput(); err != nil {
		p.Fatalf("build %s: %v\n%s", name, err, out)
	}
}

// run runs the commands that follow the sentence, with what stands for a person's own names replaced. It returns what
// they print.
func (p page) run(sentence string, replace ...string) string {
	p.Helper()
	text, err := os.ReadFile(examples("..", "docs", "data.md"))
	if err != nil {
		p.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), sentence)
	_, block, _ := strings.Cut(after, "```sh\n")
	block, _, found := strings.Cut(block, "```")
	if !found {
		p.Fatalf("no commands follow %q", sentence)
	}
	commands := strings.NewReplacer(replace...).Replace(block)
	c := exec.CommandContext(p.Context(), "bash", "-euo", "pipefail", "-c", commands)
	c.Dir = p.scratch
	c.Env = append(os.Environ(), "PATH="+p.bin+":"+os.Getenv("PATH"), "HOME="+p.scratch,
		"KUBECONFIG="+p.Cluster.Kubeconfig, "KOPIA_CHECK_FOR_UPDATES=false")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		p.Fatalf("the commands of the page failed: %v\n%s", err, out.String())
	}
	return out.String()
}

// serve starts the database on the directory and reads its orders.
func (p page) serve(dir string) orders.Digests {
	p.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	c := exec.CommandContext(p.Context(), filepath.Join(p.bin, "mongo-server"), "--listen", address, "--data", dir)
	c.WaitDelay = time.Second
	if err := c.Start(); err != nil {
		p.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	found, err := orders.Read(p.Context(), address)
	if err != nil {
		p.Fatal(err)
	}
	return found
}

func (p page) compare(want, got orders.Digests) {
	p.Helper()
	if diff := cmp.Diff(want, got); diff != "" || len(want) != seeded {
		p.Errorf("of %d orders others came back:\n%s", len(want), diff)
	}
}
