package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A descriptor names a blob of an image.
type descriptor struct {
	MediaType, Digest string
	Size              int
	Platform          struct{ OS, Architecture string }
	Annotations       map[string]string
}

// An index lists manifests; a manifest has a config and layers.
type index struct {
	Manifests []descriptor
	Config    descriptor
	Layers    []descriptor
}

// A running is what the config of an image says.
type running struct {
	Architecture, OS, Created string
	Config                    struct {
		User, WorkingDir string
		Entrypoint       []string
		Labels           map[string]string
	}
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	}
}

func testImage(t *testing.T, dist string) {
	for _, on := range images {
		blobs := entries(t, bytes.NewReader([]byte(read(t, dist, tested.image(on.arch)))))
		top := decode[index](t, blobs["index.json"].data).Manifests
		if len(top) != 1 || top[0].Annotations["io.containerd.image.name"] != imageName+":v1.2.3" {
			t.Fatalf("%s: %+v", on, top)
		}
		testRunning(t, on, blobs, top[0])
		docker := decode[[]struct {
			Config           string
			RepoTags, Layers []string
		}](t, blobs["manifest.json"].data)
		if len(docker) != 1 || docker[0].RepoTags[0] != imageName+":v1.2.3" || blobs[docker[0].Config].data == nil ||
			blobs[docker[0].Layers[0]].data == nil {
			t.Errorf("%s: Docker is told %+v", on, docker)
		}
	}
	blobs := entries(t, bytes.NewReader([]byte(read(t, dist, tested.image("")))))
	both := decode[index](t, blob(t, blobs, decode[index](t, blobs["index.json"].data).Manifests[0])).Manifests
	if len(both) != len(images) || blobs["manifest.json"].data != nil {
		t.Fatalf("%d images, want %d: %+v", len(both), len(images), both)
	}
	for i, on := range images {
		testRunning(t, on, blobs, both[i])
	}
}

// testRunning checks one image: what it runs, as whom, and what is in it.
func testRunning(t *testing.T, on platform, blobs map[string]entry, d descriptor) {
	t.Helper()
	manifest := decode[index](t, blob(t, blobs, d))
	c := decode[running](t, blob(t, blobs, manifest.Config))
	if c.Architecture != on.arch || c.OS != on.os || d.Platform.Architecture != on.arch || d.Platform.OS != on.os {
		t.Errorf("the image for %s is for %s/%s and %+v", on, c.OS, c.Architecture, d.Platform)
	}
	if c.Config.User != "65532:65532" || strings.Join(c.Config.Entrypoint, " ") != "/sluice" ||
		c.Config.WorkingDir != "/var/lib/sluice" || c.Created != "2026-01-02T03:04:05Z" {
		t.Errorf("%s: %+v", on, c)
	}
	for label, want := range map[string]string{
		"version": "v1.2.3", "revision": tested.commit, "licenses": license, "source": homepage, "title": name,
	} {
		if got := c.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("%s: the label %s says %q, want %q", on, label, got, want)
		}
	}
	z, err := gzip.NewReader(bytes.NewReader(blob(t, blobs, manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(z)
	if err != nil || len(c.RootFS.DiffIDs) != 1 || c.RootFS.DiffIDs[0] != fmt.Sprintf("sha256:%x", sha256.Sum256(layer)) {
		t.Fatalf("%s: the layer is not %v: %v", on, c.RootFS.DiffIDs, err)
	}
	testFiles(t, on, entries(t, bytes.NewReader(layer)))
}

func testFiles(t *testing.T, on platform, files map[string]entry) {
	t.Helper()
	for path, want := range map[string]struct {
		mode int64
		uid  int
	}{
		"sluice": {0o755, 0}, "etc/": {0o755, 0}, "etc/ssl/": {0o755, 0}, "etc/ssl/certs/": {0o755, 0},
		"etc/ssl/certs/ca-certificates.crt": {0o644, 0}, "etc/passwd": {0o644, 0}, "etc/group": {0o644, 0},
		"tmp/": {0o1777, 0}, "var/": {0o755, 0}, "var/lib/": {0o755, 0}, "var/lib/sluice/": {0o700, 65532},
	} {
		f, found := files[path]
		if !found || f.header.Mode != want.mode || f.header.Uid != want.uid || !f.header.ModTime.Equal(tested.date) {
			t.Errorf("%s: %s: %+v", on, path, f.header)
		}
		delete(files, path)
	}
	for path := range files {
		t.Errorf("%s: %s is in the image too", on, path)
	}
}

func TestAuthorities(t *testing.T) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorities()) {
		t.Fatal("no certificate can be read")
	}
	if n := bytes.Count(authorities(), []byte("BEGIN CERTIFICATE")); n < 100 {
		t.Errorf("only %d authorities", n)
	}
}

// The program in the image runs, and says its version.
func testImageRuns(t *testing.T, dist string) {
	if host.os != "linux" {
		t.Skip("the program of the image cannot run here")
	}
	blobs := entries(t, bytes.NewReader([]byte(read(t, dist, tested.image(host.arch)))))
	manifest := decode[index](t, blob(t, blobs, decode[index](t, blobs["index.json"].data).Manifests[0]))
	z, err := gzip.NewReader(bytes.NewReader(blob(t, blobs, manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, entries(t, z)[name].data, 0o755); err != nil {
		t.Fatal(err)
	}
	if said := output(t, path, "version"); !strings.HasPrefix(said, "sluice v1.2.3, ") {
		t.Errorf("version says %q", said)
	}
}

// An entry is a file or directory of a tar archive.
type entry struct {
	header *tar.Header
	data   []byte
}

func entries(t *testing.T, from io.Reader) map[string]entry {
	t.Helper()
	all := map[string]entry{}
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := all[h.Name]; twice {
			t.Errorf("%s is there twice", h.Name)
		}
		all[h.Name] = entry{h, data}
	}
}

// blob returns what the descriptor names, and checks its digest and size.
func blob(t *testing.T, blobs map[string]entry, d descriptor) []byte {
	t.Helper()
	data := blobs["blobs/"+strings.Replace(d.Digest, ":", "/", 1)].data
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(data)); got != d.Digest || len(data) != d.Size {
		t.Fatalf("%d bytes with the digest %s, want %+v", len(data), got, d)
	}
	return data
}

func decode[T any](t *testing.T, data []byte) (value T) {
	t.Helper()
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return value
}
