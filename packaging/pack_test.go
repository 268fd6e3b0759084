package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

var tested = product{
	root: "..", version: "v1.2.3", commit: "0123456789abcdef0123456789abcdef01234567",
	date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), url: "https://example.org/download/v1.2.3",
}

// built returns sluice for this machine and, because it is large, a small program for every other platform.
func built(t *testing.T) []program {
	t.Helper()
	if !slices.Contains(platforms, host) {
		t.Skipf("no program is built for %s", host)
	}
	dir := t.TempDir()
	here, other := filepath.Join(dir, name), filepath.Join(dir, "other")
	// Not as a release is built: that would compile every package again.
	output(t, "go", "build", "-C", tested.root, "-ldflags", "-s -w "+tested.stamp(), "-o", here, "./cmd/sluice")
	output(t, "go", "build", "-o", other, "./testdata/other")
	var programs []program
	for _, on := range platforms {
		path := other
		if on == host {
			path = here
		}
		programs = append(programs, program{on, path})
	}
	return programs
}

func packed(t *testing.T, programs []program) (dist string) {
	t.Helper()
	dist = filepath.Join(t.TempDir(), "dist")
	if err := pack(t.Context(), tested, programs, dist); err != nil {
		t.Fatal(err)
	}
	return dist
}

func TestPack(t *testing.T) {
	programs := built(t)
	dist := packed(t, programs)
	t.Run("checksums", func(t *testing.T) { testSums(t, dist, read(t, packed(t, programs), "SHA256SUMS")) })
	t.Run("archive", func(t *testing.T) { testArchive(t, dist) })
	t.Run("bill", func(t *testing.T) { testBill(t, dist) })
	t.Run("krew", func(t *testing.T) { testKrew(t, dist) })
	t.Run("formula", func(t *testing.T) { testFormula(t, dist) })
	t.Run("image", func(t *testing.T) { testImage(t, dist) })
	t.Run("image runs", func(t *testing.T) { testImageRuns(t, dist) })
	t.Run("debian", func(t *testing.T) { testDebian(t, dist) })
}

func read(t *testing.T, dist, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dist, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}

func testSums(t *testing.T, dist, second string) {
	first := read(t, dist, "SHA256SUMS")
	if first != second {
		t.Errorf("a second time other bytes were packed:\n%s\n%s", first, second)
	}
	var files []string
	for line := range strings.Lines(first) {
		want, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		got, err := sum(filepath.Join(dist, file))
		if err != nil || got != want {
			t.Errorf("%s has the sum %s, want %s: %v", file, got, want, err)
		}
		files = append(files, file)
	}
	want := []string{
		"kubectl-sluice.yaml", "sluice-1.2.3.tgz", "sluice.rb",
		"sluice_1.2.3_amd64.deb", "sluice_1.2.3_arm64.deb",
		"sluice_1.2.3_darwin_amd64.cdx.json", "sluice_1.2.3_darwin_amd64.tar.gz",
		"sluice_1.2.3_darwin_arm64.cdx.json", "sluice_1.2.3_darwin_arm64.tar.gz",
		"sluice_1.2.3_image.tar", "sluice_1.2.3_image_amd64.tar", "sluice_1.2.3_image_arm64.tar",
		"sluice_1.2.3_linux_amd64.cdx.json", "sluice_1.2.3_linux_amd64.tar.gz",
		"sluice_1.2.3_linux_arm64.cdx.json", "sluice_1.2.3_linux_arm64.tar.gz",
	}
	if !slices.Equal(files, want) {
		t.Errorf("files %q, want %q", files, want)
	}
}

func testArchive(t *testing.T, dist string) {
	files := unpack(t, filepath.Join(dist, tested.archive(host)))
	for _, file := range []string{
		"LICENSE", "README.md", "completions/sluice.bash", "completions/sluice.zsh", "completions/sluice.fish",
		"man/sluice.1", "man/sluice-run.1", "man/sluice-data-branch.1",
	} {
		if len(files[file]) == 0 {
			t.Errorf("%s is missing or empty", file)
		}
	}
	page := string(files["man/sluice.1"])
	if !strings.Contains(page, `"Jan 2026" "sluice v1.2.3"`) {
		t.Errorf("the man page does not have the version and the date of the commit: %.80s", page)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, files[name], 0o755); err != nil {
		t.Fatal(err)
	}
	said := output(t, path, "version")
	if want := "sluice v1.2.3, commit 0123456789ab, 2026-01-02T03:04:05Z, go1."; !strings.HasPrefix(said, want) {
		t.Errorf("version says %q, want %q", said, want)
	}
}

// unpack returns the files of an archive. It checks their modes, and that nothing of this machine is in them.
func unpack(t *testing.T, archive string) map[string][]byte {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		want := int64(0o644)
		if h.Name == name {
			want = 0o755
		}
		if h.Mode != want || h.Uid != 0 || h.Uname != "" || !h.ModTime.Equal(tested.date) {
			t.Errorf("%s: mode %o, user %d %q, time %s", h.Name, h.Mode, h.Uid, h.Uname, h.ModTime)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func testBill(t *testing.T, dist string) {
	var bill struct {
		BOMFormat string
		Metadata  struct {
			Component struct{ Name, Version string }
		}
		// The modules.
		Components []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal([]byte(read(t, dist, tested.file(host)+".cdx.json")), &bill); err != nil {
		t.Fatal(err)
	}
	main := bill.Metadata.Component
	if bill.BOMFormat != "CycloneDX" || main.Name != "github.com/sluice-cd/sluice" || main.Version != "v1.2.3" {
		t.Errorf("%s of %+v", bill.BOMFormat, main)
	}
	found := 0
	for _, c := range bill.Components {
		if c.Name == "modernc.org/sqlite" && strings.HasPrefix(c.PURL, "pkg:golang/modernc.org/sqlite@v") || c.Name == "std" {
			found++
		}
	}
	if found != 2 {
		t.Errorf("the store's library or Go's own is missing among %d components", len(bill.Components))
	}
}

func testKrew(t *testing.T, dist string) {
	var plugin struct {
		Kind     string
		Metadata struct{ Name string }
		Spec     struct {
			Version, ShortDescription string
			Platforms                 []struct {
				Selector         struct{ MatchLabels map[string]string }
				URI, SHA256, Bin string
			}
		}
	}
	text, err := yaml.YAMLToJSON([]byte(read(t, dist, "kubectl-sluice.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &plugin); err != nil {
		t.Fatal(err)
	}
	if plugin.Kind != "Plugin" || plugin.Metadata.Name != name || plugin.Spec.Version != "v1.2.3" {
		t.Errorf("%+v", plugin)
	}
	if len(plugin.Spec.Platforms) != len(platforms) {
		t.Fatalf("%d platforms, want %d", len(plugin.Spec.Platforms), len(platforms))
	}
	for _, p := range plugin.Spec.Platforms {
		on := platform{p.Selector.MatchLabels["os"], p.Selector.MatchLabels["arch"]}
		want, err := sum(filepath.Join(dist, tested.archive(on)))
		if err != nil || p.SHA256 != want || p.URI != tested.url+"/"+tested.archive(on) || p.Bin != name {
			t.Errorf("%s: %+v, want the sum %s: %v", on, p, want, err)
		}
	}
}

func testFormula(t *testing.T, dist string) {
	formula := strings.Join(strings.Fields(read(t, dist, "sluice.rb")), " ")
	for on, blocks := range map[platform]string{
		{"linux", "amd64"}:  "on_linux do on_intel do",
		{"linux", "arm64"}:  "on_linux do on_arm do",
		{"darwin", "amd64"}: "on_macos do on_intel do",
		{"darwin", "arm64"}: "on_macos do on_arm do",
	} {
		sum, err := sum(filepath.Join(dist, tested.archive(on)))
		if err != nil {
			t.Fatal(err)
		}
		want := blocks + ` url "` + tested.url + "/" + tested.archive(on) + `" sha256 "` + sum + `" end end`
		if !strings.Contains(formula, want) {
			t.Errorf("the formula does not contain %s", want)
		}
	}
	if ruby, err := exec.LookPath("ruby"); err == nil {
		output(t, ruby, "-c", filepath.Join(dist, "sluice.rb"))
	}
}

func testDebian(t *testing.T, dist string) {
	dpkg, err := exec.LookPath("dpkg-deb")
	if err != nil {
		t.Skip("dpkg-deb is not installed")
	}
	if host.os != "linux" {
		t.Skip("the installed program cannot run here")
	}
	path := filepath.Join(dist, "sluice_1.2.3_"+host.arch+".deb")
	info := output(t, dpkg, "--info", path)
	for _, want := range []string{
		"Package: sluice", "Version: 1.2.3", "Architecture: " + host.arch, "Description: " + summary,
	} {
		if !strings.Contains(info, want) {
			t.Errorf("the package does not say %q:\n%s", want, info)
		}
	}
	contents := output(t, dpkg, "--contents", path)
	for _, want := range []string{
		"-rwxr-xr-x root/root", "./usr/bin/sluice\n", "./usr/share/man/man1/sluice-run.1.gz\n",
		"./usr/share/bash-completion/completions/sluice\n", "./usr/share/zsh/vendor-completions/_sluice\n",
		"./usr/share/fish/vendor_completions.d/sluice.fish\n", "./usr/share/doc/sluice/copyright\n",
	} {
		if !strings.Contains(contents, want) {
			t.Errorf("the package does not contain %q:\n%s", want, contents)
		}
	}
	root := t.TempDir()
	output(t, dpkg, "--extract", path, root)
	if said := output(t, filepath.Join(root, "usr/bin/sluice"), "--version"); !strings.Contains(said, "sluice v1.2.3, ") {
		t.Errorf("the installed program says %q", said)
	}
}
