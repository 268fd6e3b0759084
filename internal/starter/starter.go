package starter

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/sluice-cd/sluice"
)

//go:embed files/*.yaml
var files embed.FS

var texts = template.Must(template.New("").Funcs(template.FuncMap{"quote": quote, "list": list}).
	ParseFS(files, "files/*.yaml"))

// An Input is what is known of the application.
type Input struct {
	Application string              // "": it is guessed
	Paths       []string            // of the manifests, as the deploy file names them
	Objects     []sluice.Object     // of all paths
	Jobs        []Job               // that change the data for a release
	Programs    map[string][]string // by image, what runs on this machine
	Context     string              // of the kubeconfig: the application goes to this cluster; "": the programs decide
	Kubeconfig  bool                // whether there is a kubeconfig
	Account     string              // an account that sluice.yaml has already; "": there is no sluice.yaml
}

// A Job is a file with one Job, which migrates the data of each target to a release.
type Job struct {
	Name string
	Path string
}

// An Output is what Write returns.
type Output struct {
	Deploy  string
	Config  string // "" if there is nothing to declare
	Local   bool   // whether the application runs on this machine
	Guesses []string
}

// Write returns the texts of the deploy file and of sluice.yaml, and what was guessed. The application goes to this
// machine if there is a program for each image and every kind can run here; otherwise it goes to a cluster.
func Write(in Input) (Output, error) {
	w := writer{Input: in}
	w.name()
	w.Datasets = w.datasets()
	w.place()
	deploy, err := render("deploy.yaml", w)
	if err != nil {
		return Output{}, err
	}
	out := Output{Deploy: deploy, Local: w.Local, Guesses: w.guesses}
	if in.Account == "" && (w.Local || w.Context != "" || w.Kubeconfig) {
		out.Config, err = render("sluice.yaml", w)
	}
	return out, err
}

// A writer is what the texts are made of.
type writer struct {
	Input
	Datasets  []Dataset
	Local     bool
	Place     string // the account of the targets
	Namespace string // of production
	guesses   []string
}

// guess says once what was guessed.
func (w *writer) guess(format string, args ...any) {
	if g := fmt.Sprintf(format, args...); !slices.Contains(w.guesses, g) {
		w.guesses = append(w.guesses, g)
	}
}

// name guesses the name of the application: that of its first Deployment, or of its first workload.
func (w *writer) name() {
	w.Namespace = w.namespace()
	if w.Application == "" {
		for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", ""} {
			if o := w.first(kind); o != nil {
				w.Application = o.Text("metadata", "name")
				w.guess("the application is called %s, like its %s", w.Application, o.Text("kind"))
				break
			}
		}
	}
	if w.Namespace == "" {
		w.Namespace = w.Application
	}
}

func (w *writer) first(kind string) sluice.Object {
	i := slices.IndexFunc(w.Objects, func(o sluice.Object) bool { return kind == "" || o.Text("kind") == kind })
	if i < 0 {
		return nil
	}
	return w.Objects[i]
}

// namespace returns the namespace that the manifests agree on, "" if they name none or several.
func (w *writer) namespace() (found string) {
	for _, o := range w.Objects {
		n := o.Text("metadata", "namespace")
		if n == "" || n == found {
			continue
		}
		if found != "" {
			return ""
		}
		found = n
	}
	if found != "" {
		w.guess("production is the namespace %s, which the manifests name", found)
	}
	return found
}

// place decides where the application goes.
func (w *writer) place() {
	missing, foreign := w.missing(), w.foreign()
	w.Local = w.Account == "" && w.Context == "" && len(missing) == 0 && len(foreign) == 0
	w.Place = w.Account
	switch {
	case w.Account != "":
		w.guess("both targets are on the account %s of sluice.yaml", w.Account)
	case w.Local:
		w.Place = "local"
		w.guess("both targets are on this machine, because there is a program for each image")
		w.names()
	default:
		w.Place = "cluster"
		w.cluster(missing, foreign)
	}
}

func (w *writer) cluster(missing, foreign []string) {
	if w.Context != "" {
		w.guess("both targets are in the cluster of the context %s", w.Context)
		return
	}
	why := "no program is known for " + strings.Join(missing, ", ") + " on this machine; --program IMAGE=COMMAND names one"
	if len(foreign) > 0 {
		why = "this machine cannot run " + strings.Join(foreign, ", ")
	}
	w.guess("both targets are in a cluster, because %s", why)
	if !w.Kubeconfig {
		w.guess("there is no kubeconfig, so the account %s is left to you: declare it in sluice.yaml before sluice plan",
			w.Place)
	}
}

// missing returns the images without a program.
func (w *writer) missing() (list []string) {
	for _, image := range Images(w.Objects) {
		if len(w.Programs[image]) == 0 {
			list = append(list, image)
		}
	}
	return list
}

// local are the kinds that this machine can run.
var local = []string{
	"Namespace", "ConfigMap", "Secret", "PersistentVolumeClaim", "Service", "Deployment", "StatefulSet", "Job",
}

// foreign returns the kinds that this machine cannot run.
func (w *writer) foreign() (kinds []string) {
	for _, o := range w.Objects {
		if kind := o.Text("kind"); !slices.Contains(local, kind) && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// AfterStaging reports whether a step comes after the deployment to staging.
func (w writer) AfterStaging() bool {
	return len(w.Jobs) > 0 || slices.ContainsFunc(w.Datasets, func(d Dataset) bool { return d.URI != "" })
}

// Secrets reports whether a dataset needs one.
func (w writer) Secrets() bool {
	return slices.ContainsFunc(w.Datasets, func(d Dataset) bool { return d.Secret })
}

func render(name string, w writer) (string, error) {
	var text bytes.Buffer
	if err := texts.ExecuteTemplate(&text, name, w); err != nil {
		return "", sluice.Errorf(sluice.Internal, "%s cannot be written: %w", name, err)
	}
	return text.String(), nil
}

// plain are texts that YAML reads as texts without quotes.
var plain = regexp.MustCompile(`^([a-z][a-z0-9]*[/._-])*[a-zA-Z][a-zA-Z0-9-]{3,}(\.yaml)?$`)

// quote writes a text so that YAML reads it as a text.
func quote(v string) (string, error) {
	if plain.MatchString(v) && !slices.Contains([]string{"true", "false", "null"}, strings.ToLower(v)) {
		return v, nil
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(out.String(), "\n"), err
}

func list(all []string) (string, error) {
	var quoted []string
	for _, s := range all {
		q, err := quote(s)
		if err != nil {
			return "", err
		}
		quoted = append(quoted, q)
	}
	return "[" + strings.Join(quoted, ", ") + "]", nil
}
