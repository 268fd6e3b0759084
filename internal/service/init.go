package service

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/starter"
)

// An InitRequest is for the first files of an application. Paths are relative to the working directory.
type InitRequest struct {
	File        string   // the deploy file to write
	Manifests   []string // files and directories below the deploy file's directory, or a compose file
	Text        string   // manifests or a compose file that are in no file yet
	Jobs        []string // files with one Job each, which migrate data to a release
	Application string
	Programs    map[string][]string // by image, what runs on this machine
	Context     string              // the context of the cluster; "": this machine if it can run the application
	Kubeconfig  bool                // whether there is a kubeconfig
	Account     string              // an account of the sluice.yaml that exists
	Config      *config.Config
	Environment map[string]string  // of the shell, for a compose file
	Secret      func(value string) // is told each value of a Secret
}

// An InitResult says what was written.
type InitResult struct {
	Files   []string `json:"files"`
	Guesses []string `json:"guesses"`
	Local   bool     `json:"local"` // whether the application runs on this machine
	// Warnings are findings in the manifests that do not prevent a deployment.
	Warnings sluice.Diagnostics `json:"warnings,omitempty"`
}

// textFile is where manifests are written that are in no file yet.
const textFile = "manifests.yaml"

// ComposeFiles are the usual names of compose files, the preferred one first.
var ComposeFiles = []string{"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"}

// Init writes the deploy file of an application, and its sluice.yaml if there is none. What it writes is valid: if it
// would not be, the findings are the error and nothing stays. A file that exists is a Conflict.
func Init(ctx context.Context, r InitRequest) (InitResult, error) {
	draft, err := r.draft(ctx)
	if err != nil {
		return InitResult{}, err
	}
	in, err := r.input(draft)
	if err != nil {
		return InitResult{}, err
	}
	out, err := starter.Write(in)
	if err != nil {
		return InitResult{}, err
	}
	dir := filepath.Dir(r.File)
	texts := []initFile{{r.File, out.Deploy}}
	if out.Config != "" {
		texts = append(texts, initFile{filepath.Join(dir, config.FileName), out.Config})
	}
	for _, f := range slices.Concat(draft.manifests, draft.jobs) {
		texts = append(texts, initFile{filepath.Join(dir, f.name), f.text})
	}
	written, err := writeNew(texts)
	var c Compiled
	if err == nil {
		c, err = Compile(ctx, Source{File: r.File}, Surroundings{Secret: r.Secret})
	}
	if err != nil {
		return InitResult{}, errors.Join(err, removeAll(written))
	}
	isLocal := out.Local || in.Account != "" && r.Config.Accounts[in.Account].Type == config.AccountLocal
	return InitResult{
		Files: written, Guesses: slices.Concat(draft.compose.Guesses, out.Guesses), Local: isLocal,
		Warnings: append(draft.findings.InOrder(""), c.Warnings...),
	}, nil
}

// input reads the manifests.
func (r InitRequest) input(d draft) (starter.Input, error) {
	in := starter.Input{
		Application: cmp.Or(r.Application, d.compose.Application), Context: r.Context, Kubeconfig: r.Kubeconfig,
	}
	for _, path := range slices.Concat(r.Manifests, r.Jobs) {
		if err := r.checkPath(path); err != nil {
			return in, err
		}
	}
	ds := append(r.manifests(&in), d.read(&in, manifest.Options{Secret: r.Secret})...)
	more, err := r.jobs(&in)
	if err != nil {
		return in, err
	}
	if ds = append(ds, more...); ds.HasErrors() {
		return in, ds
	}
	in.Programs = r.programs(in.Objects)
	in.Account, err = r.account()
	return in, err
}

// checkPath refuses what a deploy file cannot name.
func (r InitRequest) checkPath(path string) error {
	if filepath.IsLocal(r.relative(path)) {
		return nil
	}
	return sluice.Errorf(sluice.Invalid, "%s is outside the directory of %s", path, r.File).
		WithHint("write the deploy file beside the manifests: sluice init %s -f %s", path,
			filepath.Join(filepath.Dir(filepath.Clean(path)), "deploy.yaml"))
}

// manifests reads the manifests that are delivered.
func (r InitRequest) manifests(in *starter.Input) (ds sluice.Diagnostics) {
	for _, path := range r.Manifests {
		objects, found := r.load(path)
		in.Paths = append(in.Paths, r.relative(path))
		in.Objects, ds = append(in.Objects, objects...), append(ds, found...)
	}
	return ds
}

// jobs reads the Jobs that migrate data.
func (r InitRequest) jobs(in *starter.Input) (ds sluice.Diagnostics, err error) {
	for _, path := range r.Jobs {
		objects, found := r.load(path)
		if ds = append(ds, found...); found.HasErrors() {
			continue
		}
		if len(objects) != 1 || objects[0].Text("kind") != "Job" {
			return ds, sluice.Errorf(sluice.Invalid, "%s is no file with one Job", path).
				WithHint("name a file whose only object is a Job")
		}
		in.Objects = append(in.Objects, objects...)
		in.Jobs = append(in.Jobs, starter.Job{Name: objects[0].Text("metadata", "name"), Path: r.relative(path)})
	}
	return ds, nil
}

func (r InitRequest) load(path string) ([]sluice.Object, sluice.Diagnostics) {
	dir := filepath.Dir(r.File)
	documents, ds := manifest.Load(dir, sluice.ManifestSource{Pos: sluice.Position{File: path}, Path: r.relative(path)},
		manifest.Options{Base: dir, Secret: r.Secret})
	return manifest.Objects(documents), ds
}

// relative returns the path as the deploy file names it.
func (r InitRequest) relative(path string) string {
	whole, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	dir, err := filepath.Abs(filepath.Dir(r.File))
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(dir, whole)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}

// account returns an account of the sluice.yaml that exists, "" if none exists.
func (r InitRequest) account() (string, error) {
	names := slices.Sorted(maps.Keys(r.Config.Accounts))
	switch {
	case r.Config.File == "" && r.Account != "":
		return "", sluice.Errorf(sluice.Invalid, "there is no %s with an account %s", config.FileName, r.Account).
			WithHint("leave --account out: init writes %s", config.FileName)
	case r.Config.File == "":
		return "", nil
	case r.Context != "":
		return "", sluice.Errorf(sluice.Invalid, "%s exists and says which clusters there are", r.Config.File).
			WithHint("name one of its accounts with --account instead of --context: %s", strings.Join(names, ", "))
	case r.Account == "" && len(names) == 1:
		return names[0], nil
	case r.Account == "":
		return "", sluice.Errorf(sluice.Invalid, "%s has several accounts", r.Config.File).
			WithHint("add --account with one of: %s", strings.Join(names, ", "))
	case !slices.Contains(names, r.Account):
		return "", sluice.Errorf(sluice.Invalid, "%s has no account %s", r.Config.File, r.Account).
			WithHint("the accounts are: %s", strings.Join(names, ", "))
	}
	return r.Account, nil
}

// programs returns the programs of the images: those that were named, those of the containers' own commands, and those
// in the directory bin beside the deploy file.
func (r InitRequest) programs(objects []sluice.Object) map[string][]string {
	all := map[string][]string{}
	for _, image := range starter.Images(objects) {
		if command := r.guessProgram(image, starter.Command(objects, image)); command != nil {
			all[image] = command
		}
	}
	maps.Copy(all, r.Programs)
	return all
}

func (r InitRequest) guessProgram(image, command string) []string {
	_, tag, _ := strings.Cut(filepath.Base(image), ":")
	for _, name := range []string{starter.Program(image) + "-" + tag, starter.Program(image)} {
		at := filepath.Join("bin", name)
		info, err := os.Stat(filepath.Join(filepath.Dir(r.File), at))
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return []string{at}
		}
	}
	if command == "" {
		return nil
	}
	if _, err := exec.LookPath(command); err != nil {
		return nil
	}
	return []string{command}
}

type initFile struct{ name, text string }

// writeNew writes the files, all or none. None of them may exist.
func writeNew(files []initFile) (written []string, err error) {
	for _, f := range files {
		if err = writeOne(f); err != nil {
			return nil, errors.Join(err, removeAll(written))
		}
		written = append(written, f.name)
	}
	return written, nil
}

func writeOne(f initFile) error {
	out, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return sluice.Errorf(sluice.Conflict, "%s already exists", f.name).
			WithHint("name another deploy file with -f, or delete this one first")
	}
	if err != nil {
		return sluice.Errorf(sluice.Invalid, "the file cannot be written: %w", err)
	}
	_, err = out.WriteString(f.text)
	return cmp.Or(err, out.Close())
}

func removeAll(files []string) (err error) {
	for _, name := range files {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}
