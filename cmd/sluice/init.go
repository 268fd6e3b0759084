package main

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
	"github.com/sluice-cd/sluice/internal/starter"
)

type initOptions struct {
	service.InitRequest
	app starter.App
}

func newInit(a *app) *cobra.Command {
	o := &initOptions{}
	cmd := &cobra.Command{
		Use: "init [PATH... | -]", Short: "Write the first deploy file and sluice.yaml of an application",
		Long: "Init reads manifests (files, directories, a kustomize directory; with - the standard input, as from helm\n" +
			"template) or a compose file, and writes a deploy file that validate and plan accept, and sluice.yaml if\n" +
			"there is none. It says what it guessed. From a compose file it writes manifests too, and names each key\n" +
			"that they have no place for. Without PATH it reads the directory manifests or compose.yaml; if there is\n" +
			"neither, it writes manifests of --image, or of what it asks on a terminal. It never overwrites a file.\n" +
			"The application goes to this machine if there is a program for each image: a file in bin/ with the image's\n" +
			"name, the container's own command, or --program. Otherwise it goes to a cluster.",
		Example: "  sluice init manifests\n  sluice init compose.yaml\n  helm template shop ./chart | sluice init -\n" +
			"  sluice init manifests --job jobs/migrate.yaml --program 'shop:1.0=bin/shop --port 8080'\n" +
			"  sluice init --name shop --image shop:1.0 --port 8080 --database mongo:7",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.init(cmd.Context(), o, args) },
	}
	o.Programs = map[string][]string{}
	f := cmd.Flags()
	f.StringVarP(&o.File, "file", "f", "deploy.yaml", "the deploy file to write")
	f.StringVar(&o.Application, "name", "", "the application's name (default: that of its first Deployment)")
	f.StringArrayVar(&o.Jobs, "job", nil, "a file with a Job that migrates the data to a release (may be repeated)")
	f.Func("program", "`image=command`: what runs for an image on this machine (may be repeated)", o.program)
	f.StringVar(&o.Context, "context", "", "deploy to the cluster of this context of the kubeconfig")
	f.StringVar(&o.Account, "account", "", "deploy to this account of the sluice.yaml that exists")
	f.StringVar(&o.app.Image, "image", "", "without manifests: the image of the application")
	f.IntVar(&o.app.Port, "port", 8080, "without manifests: the port that it serves")
	f.StringVar(&o.app.Database, "database", "", "without manifests: the image of a MongoDB server, such as mongo:7")
	return cmd
}

// program reads a value of --program.
func (o *initOptions) program(text string) error {
	image, command, _ := strings.Cut(text, "=")
	words := strings.Fields(command)
	if image == "" || len(words) == 0 {
		return sluice.Errorf(sluice.Invalid, "write it like shop:1.0='bin/shop --port 8080'")
	}
	o.Programs[image] = words
	return nil
}

// An initOutput is the result as JSON.
type initOutput struct {
	service.InitResult
	Next string `json:"next"`
}

func (a *app) init(ctx context.Context, o *initOptions, args []string) (err error) {
	if err := a.manifests(ctx, o, args); err != nil {
		return err
	}
	if o.Config, err = a.configuration(o.File); err != nil {
		return err
	}
	o.Secret, o.Kubeconfig, o.Environment = a.redactor.Learn, hasKubeconfig(), environment()
	result, err := service.Init(ctx, o.InitRequest)
	if err != nil {
		return err
	}
	next := "sluice plan -f " + o.File
	if !result.Local {
		next = "sluice run --local -f " + o.File
	}
	if a.json() {
		return present.JSON(a.out, "Initialized", initOutput{result, next})
	}
	present.Findings(a.err, result.Warnings)
	for _, name := range result.Files {
		present.Printf(a.out, "wrote %s\n", name)
	}
	for _, g := range result.Guesses {
		present.Printf(a.out, "guessed: %s\n", g)
	}
	return present.Printf(a.out, "next: %s\n", next)
}

// environment returns the variables of the shell.
func environment() map[string]string {
	all := map[string]string{}
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		all[name] = value
	}
	return all
}

// hasKubeconfig reports whether kubectl would find a kubeconfig.
func hasKubeconfig() bool {
	home, err := os.UserHomeDir()
	if err != nil {
		return os.Getenv("KUBECONFIG") != ""
	}
	_, err = os.Stat(filepath.Join(home, ".kube", "config"))
	return err == nil || os.Getenv("KUBECONFIG") != ""
}

// manifests finds the manifests: those that are named, the directory of that name, or new ones.
func (a *app) manifests(ctx context.Context, o *initOptions, args []string) error {
	if len(args) == 1 && args[0] == "-" {
		text, err := untilDone(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(a.in, maxPiped)) })
		o.Text = string(text)
		return err
	}
	if len(args) == 0 && o.app.Image == "" {
		args = usualInput(filepath.Dir(o.File))
	}
	o.Manifests = args
	if len(args) > 0 {
		return nil
	}
	if o.app.Image == "" {
		if err := a.ask(ctx, o); err != nil {
			return err
		}
	}
	o.app.Name = cmp.Or(o.Application, starter.Program(o.app.Image))
	text, err := starter.Manifests(o.app)
	o.Text = text
	return err
}

// usualInput returns what is read if nothing is named: the directory manifests, otherwise a compose file.
func usualInput(dir string) []string {
	for _, name := range append([]string{"manifests"}, service.ComposeFiles...) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return []string{path}
		}
	}
	return nil
}

// maxPiped limits the manifests of the standard input; larger files are not read either.
const maxPiped = 16 << 20

// untilDone returns what read returns, or the error of ctx if that ends first: nothing interrupts a read.
func untilDone[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// ask asks for what the flags did not say.
func (a *app) ask(ctx context.Context, o *initOptions) error {
	if !a.terminal {
		return sluice.Errorf(sluice.Invalid, "no manifests are named").
			WithHint("name them: sluice init manifests; or pipe them: helm template NAME CHART | sluice init -; " +
				"or let them be written: sluice init --image shop:1.0")
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	q := questions{app: a, ctx: ctx, lines: bufio.NewScanner(a.in)}
	if o.Application == "" {
		o.Application = q.ask("Name of the application?", filepath.Base(here))
	}
	o.app.Image = q.ask("Its image?", o.Application+":1.0")
	port := q.ask("The port that it serves?", strconv.Itoa(o.app.Port))
	if answer := q.ask("The image of its MongoDB server, or none?", "none"); answer != "none" {
		o.app.Database = answer
	}
	if q.err != nil {
		return q.err
	}
	if o.app.Port, err = strconv.Atoi(port); err != nil {
		return sluice.Errorf(sluice.Invalid, "%q is no port", port).WithHint("answer like this: 8080")
	}
	return nil
}

// Questions are asked one after the other, until there is an error.
type questions struct {
	app   *app
	ctx   context.Context
	lines *bufio.Scanner
	err   error
}

// ask returns the answer, or what is offered if the answer is empty.
func (q *questions) ask(text, offered string) string {
	if q.err != nil {
		return ""
	}
	present.Printf(q.app.err, "%s [%s] ", text, offered)
	var line string
	line, q.err = untilDone(q.ctx, func() (string, error) {
		if q.lines.Scan() || q.lines.Err() != nil {
			return q.lines.Text(), q.lines.Err()
		}
		return "", sluice.Errorf(sluice.Cancelled, "there was no answer; nothing was written")
	})
	return cmp.Or(strings.TrimSpace(line), offered)
}
