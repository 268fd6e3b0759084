package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// Options are what a plan depends on besides the deploy file.
type Options struct {
	Root   string        // the directory of the manifests; nothing outside is read
	Base   string        // put before the names of manifests in findings
	Dir    string        // the directory below Root where paths begin; "": Root itself
	Sealer sluice.Sealer // seals the values of Secrets, so that a plan can be recorded
	// Secret is told each value of a Secret before a finding can quote it. Nil: nobody is.
	Secret  func(value string)
	Targets []string // only these targets; empty: all
	// Images replaces images: see [manifest.SetImages]. A name that no container of the plan has is an error.
	Images map[string]string
	// TakeOver lists the field managers whose fields the plan may take.
	TakeOver []string
	// Fetch reads manifests from https addresses. Nil: such addresses are refused.
	Fetch func(address string) ([]byte, error)
	// Read is told each file that is read, by its path relative to Root. Nil: nobody is.
	Read func(name string, content []byte)
	// LocalAccounts reports whether an account is this machine, which cannot do everything. Nil: no account is.
	LocalAccounts func(account string) bool
	// Applied returns what earlier deployments applied to a target, in the order in which it can be applied. Nil:
	// earlier deployments are unknown.
	Applied func(target string) []sluice.Ref
}

// CheckManifests returns the mistakes in the manifests of a deploy file that has mistakes itself.
func CheckManifests(sources []sluice.ManifestSource, o Options) sluice.Diagnostics {
	c := newCompiler(&sluice.Spec{}, o)
	for _, m := range sources {
		wanted := len(m.Targets) == 0 || slices.ContainsFunc(m.Targets, c.included)
		if wanted && (m.Path != "" || m.Inline != "") {
			_, found := c.load(m, false)
			c.report(found)
		}
	}
	return c.found
}

func newCompiler(spec *sluice.Spec, o Options) *compiler {
	return &compiler{spec: spec, options: o, targets: map[string]int{}, loaded: map[string]*source{},
		prepared: map[string]prepared{}, images: map[string]bool{}, seen: map[sluice.Diagnostic]bool{}}
}

// Compile returns the plan of a deploy file with its warnings, or the mistakes in its manifests.
func Compile(spec *sluice.Spec, o Options) (*sluice.Plan, sluice.Diagnostics) {
	c := newCompiler(spec, o)
	for i, t := range spec.Targets {
		if _, twice := c.targets[t.Name]; !twice {
			c.targets[t.Name] = i
		}
	}
	c.checkTargets()
	p := &sluice.Plan{
		Application: spec.Application, Description: spec.Description, Context: spec.Context,
		Enqueue: spec.Config.InProgress == "enqueueOne", TakeOver: o.TakeOver,
	}
	for _, t := range spec.Targets {
		if !c.included(t.Name) {
			continue
		}
		planned, steps := c.target(t)
		p.Targets = append(p.Targets, planned)
		p.Steps = append(p.Steps, steps...)
		for _, s := range steps {
			c.checkVariables(s)
		}
	}
	c.checkImages()
	if c.found.HasErrors() {
		return nil, c.found
	}
	p.Digest = Digest(p)
	return p, c.found
}

type compiler struct {
	spec     *sluice.Spec
	options  Options
	targets  map[string]int // the index of each in the spec
	loaded   map[string]*source
	prepared map[string]prepared // by namespace and manifests
	images   map[string]bool     // of options.Images, those that a container has
	found    sluice.Diagnostics
	seen     map[sluice.Diagnostic]bool
}

// A prepared holds the objects of a target in the order in which they are applied, and their places.
type prepared struct {
	objects []sluice.Object
	places  map[sluice.Ref]sluice.Position
}

// A source is the content of one manifest source, read once for all targets.
type source struct {
	documents []manifest.Document
	found     sluice.Diagnostics
}

// load returns the objects of a source, for the caller to change. If hooks is true, they may be hooks.
func (c *compiler) load(m sluice.ManifestSource, hooks bool) ([]manifest.Document, sluice.Diagnostics) {
	name := fmt.Sprintf("%s\x00%s\x00%s\x00%t", m.Path, m.Inline, m.Pos, hooks)
	s := c.loaded[name]
	if s == nil {
		s = &source{}
		s.documents, s.found = manifest.Load(c.options.Root, m, manifest.Options{
			Base: c.options.Base, Dir: c.options.Dir, Hooks: hooks, Fetch: c.options.Fetch, Secret: c.options.Secret,
			Read: c.options.Read,
		})
		c.loaded[name] = s
	}
	documents := slices.Clone(s.documents)
	for i := range documents {
		documents[i].Object = documents[i].Object.Clone()
		for _, name := range manifest.SetImages(documents[i].Object, c.options.Images) {
			c.images[name] = true
		}
	}
	return documents, s.found
}

func (c *compiler) included(target string) bool {
	return len(c.options.Targets) == 0 || slices.Contains(c.options.Targets, target)
}

func (c *compiler) checkTargets() {
	for _, name := range c.options.Targets {
		if _, known := c.targets[name]; !known {
			c.fail(sluice.Position{}, codeUnknownTarget, "there is no target "+quote(name), "known: "+list(c.spec.Targets))
		}
	}
}

// checkImages refuses the names of images that no container has.
func (c *compiler) checkImages() {
	for _, name := range slices.Sorted(maps.Keys(c.options.Images)) {
		if !c.images[name] {
			c.fail(sluice.Position{}, codeUnknownImage, "no container of the manifests has the image "+quote(name),
				"write the image as the manifest does, without tag and digest")
		}
	}
}

func (c *compiler) fail(pos sluice.Position, code, message, hint string) {
	c.found = append(c.found, sluice.Diagnostic{Pos: pos, Severity: sluice.SeverityError, Code: code, Message: message,
		Hint: hint})
}

func (c *compiler) warn(pos sluice.Position, code, message, hint string) {
	c.report(sluice.Diagnostics{{Pos: pos, Severity: sluice.SeverityWarning, Code: code, Message: message, Hint: hint}})
}

// objects returns a target's objects. Targets with the same manifests and namespace share them; they do not change any
// more.
func (c *compiler) objects(t sluice.Target) prepared {
	key := strconv.Quote(t.Namespace)
	var sources []sluice.ManifestSource
	for i, m := range c.spec.Manifests {
		if len(m.Targets) == 0 || slices.Contains(m.Targets, t.Name) {
			key += " " + strconv.Itoa(i)
			sources = append(sources, m)
		}
	}
	if p, ok := c.prepared[key]; ok {
		return p
	}
	var documents []manifest.Document
	for _, m := range sources {
		loaded, found := c.load(m, false)
		c.report(found)
		documents = append(documents, loaded...)
	}
	documents = c.prepare(t, documents)
	p := prepared{manifest.Order(manifest.Objects(documents)), map[sluice.Ref]sluice.Position{}}
	for _, d := range documents {
		p.places[d.Object.Ref()] = d.Pos
	}
	c.prepared[key] = p
	return p
}

// report adds each finding once: several targets may use the same manifest.
func (c *compiler) report(found sluice.Diagnostics) {
	for _, d := range found {
		if !c.seen[d] {
			c.seen[d] = true
			c.found = append(c.found, d)
		}
	}
}

// defaultNamespace is the namespace if neither an object nor its target names one.
const defaultNamespace = "default"

// prepare puts the objects of the documents into their namespaces, each once, with sealed Secrets.
func (c *compiler) prepare(t sluice.Target, documents []manifest.Document) []manifest.Document {
	objects := manifest.Objects(documents)
	if t.Namespace != "" {
		manifest.SetNamespace(objects, t.Namespace)
	} else {
		manifest.FillNamespace(objects, defaultNamespace)
	}
	documents, found := manifest.Unique(documents)
	c.report(found)
	if c.options.Sealer == nil {
		return documents
	}
	if err := manifest.SealSecrets(manifest.Objects(documents), c.options.Sealer); err != nil {
		c.fail(t.Pos, codeSecretNotSealed, err.Error(), sluice.ErrorHint(err))
	}
	return documents
}

// Digest returns the SHA-256 of everything in the plan except its digest, its rehearsal, its request, whether it waits
// and which deployment it replaces.
func Digest(p *sluice.Plan) string {
	rest := *p
	rest.Digest, rest.Rehearsal, rest.Enqueue, rest.Replace, rest.Request = "", nil, false, "", ""
	data, err := json.Marshal(rest)
	if err != nil {
		panic("a plan can always be encoded: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
