package oci_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/internal/oci"
)

func image(arch string) oci.Image {
	return oci.Image{
		Arch: arch, Entrypoint: []string{"/program", "serve"}, Files: []oci.File{
			{Path: "/program", Data: []byte("ELF"), Mode: 0o755}, {Path: "/var/lib/x/", Mode: 0o700, Owner: 7},
		},
	}
}

// unpack returns the files of an archive by their names, in their order.
func unpack(t *testing.T, archive []byte) (names []string, files map[string][]byte) {
	t.Helper()
	files = map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, files
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func written(t *testing.T, name string, images ...oci.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := oci.Write(&out, name, images...); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTheSameImageGivesTheSameBytes(t *testing.T) {
	one := image("amd64")
	one.Compress, one.Labels = true, map[string]string{"a": "1", "b": "2", "c": "3"}
	if !bytes.Equal(written(t, "x:1", one), written(t, "x:1", one)) {
		t.Error("two archives differ")
	}
	later := one
	later.Created = time.Unix(1e9, 0)
	if bytes.Equal(written(t, "x:1", one), written(t, "x:1", later)) {
		t.Error("the time is not in the archive")
	}
}

func TestDirectoriesComeBeforeWhatIsInThem(t *testing.T) {
	_, files := unpack(t, written(t, "x:1", image("amd64")))
	var docker []struct{ Layers []string }
	if err := json.Unmarshal(files["manifest.json"], &docker); err != nil {
		t.Fatal(err)
	}
	names, _ := unpack(t, files[docker[0].Layers[0]])
	if diff := cmp.Diff([]string{"program", "var/", "var/lib/", "var/lib/x/"}, names); diff != "" {
		t.Error(diff)
	}
}

// Two images with the same files share their layer; only an archive with one image is for Docker.
func TestImagesShareTheirLayer(t *testing.T) {
	names, _ := unpack(t, written(t, "x:1", image("amd64"), image("arm64")))
	blobs := 0
	for _, name := range names {
		if strings.HasPrefix(name, "blobs/") {
			blobs++
		}
		if name == "manifest.json" {
			t.Error("Docker is told of two images")
		}
	}
	if blobs != 6 { // a layer, two configs, two manifests, the index of both
		t.Errorf("%d blobs: %v", blobs, names)
	}
	if err := oci.Write(io.Discard, "x:1"); err == nil {
		t.Error("an archive without an image was written")
	}
}

func TestNamesAreWhole(t *testing.T) {
	for name, want := range map[string]string{
		"x:1": "docker.io/library/x:1", "e2e/x:1": "docker.io/e2e/x:1", "docker.io/e2e/x:1": "docker.io/e2e/x:1",
		"ghcr.io/a/b:v1": "ghcr.io/a/b:v1", "localhost:5000/x:1": "localhost:5000/x:1", "localhost/x:1": "localhost/x:1",
	} {
		_, files := unpack(t, written(t, name, image("amd64")))
		var top struct {
			Manifests []struct{ Annotations map[string]string }
		}
		if err := json.Unmarshal(files["index.json"], &top); err != nil {
			t.Fatal(err)
		}
		if got := top.Manifests[0].Annotations["io.containerd.image.name"]; got != want {
			t.Errorf("%s is loaded as %s, want %s", name, got, want)
		}
	}
}
