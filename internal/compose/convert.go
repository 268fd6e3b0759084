package compose

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// An object is a Kubernetes object, or a part of one.
type object = map[string]any

// A conversion makes the objects of one project.
type conversion struct {
	*reader
	project   *types.Project
	jobs      map[string]bool   // the services whose end others wait for
	ports     map[string][]port // by service
	listens   map[string]bool   // the services that use their pod's address
	manifests []object
	secrets   []object
}

func (r *reader) convert(p *types.Project) Result {
	if len(p.Services)+len(p.DisabledServices) == 0 {
		r.add(r.at("services"), sluice.SeverityError, codeInvalid, "the file has no service", "add one with its image")
	}
	c := &conversion{reader: r, project: p, jobs: jobs(p), listens: map[string]bool{}}
	result := Result{Application: r.application()}
	c.checkNames()
	c.disabled()
	c.findPorts()
	c.claims()
	c.files()
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		c.service(p.Services[name], &result)
	}
	result.Manifests = c.text("What runs: begun by sluice init, from "+r.Name+".", c.manifests)
	if len(c.secrets) > 0 {
		result.Secrets = c.text("What of "+r.Name+" is secret.", c.secrets)
		r.guess("values that look secret are in a file of their own: keep secrets.yaml out of version control")
	}
	result.Guesses = r.guesses
	return result
}

// application returns the name of the project, as Docker finds it.
func (r *reader) application() string {
	if n := yamldoc.Get(r.root, "name"); n != nil && !strings.Contains(n.Value, "$") {
		return objectName(n.Value)
	}
	dir, err := filepath.Abs(r.Dir)
	name := objectName(filepath.Base(dir))
	if err != nil || name == "" {
		return ""
	}
	r.guess("the application is called %s, like the directory of the compose file", name)
	return name
}

// jobs returns the services whose end others wait for.
func jobs(p *types.Project) map[string]bool {
	all := map[string]bool{}
	for _, s := range p.Services {
		for name, d := range s.DependsOn {
			if d.Condition == types.ServiceConditionCompletedSuccessfully {
				all[name] = true
			}
		}
	}
	return all
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// objectName returns a name as Kubernetes takes it.
func objectName(name string) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// checkNames says which services have another name in Kubernetes, and refuses two with the same one.
func (c *conversion) checkNames() {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.project.Services)) {
		is := objectName(name)
		if other := seen[is]; other != "" {
			c.refuse(c.path(name), "rename one of them", "%s and %s both become %s", other, name, is)
		}
		if seen[is] = name; is != name {
			c.guess("the service %s is called %s: Kubernetes allows no other letters", name, is)
		}
	}
}

func (c *conversion) disabled() {
	for _, name := range slices.Sorted(maps.Keys(c.project.DisabledServices)) {
		c.leaveOut(c.path(name, "profiles"), "remove profiles, if it is a part of the application",
			"the service %s is left out: it only runs in a profile", name)
	}
}

// image refuses a service that a cluster cannot run.
func (c *conversion) image(s types.ServiceConfig) {
	switch {
	case s.Image == "" && s.Build != nil:
		c.refuse(c.path(s.Name, "build"),
			"add a name, such as image: "+s.Name+":1.0; docker compose build gives it to the image",
			"the image of %s has no name, so nothing can run it", s.Name)
	case s.Image == "":
		c.refuse(c.path(s.Name), "add its image", "the service %s has no image", s.Name)
	case s.Build != nil:
		c.guess("you build the image %s, with docker compose build", s.Image)
	}
	if s.Deploy != nil && s.Deploy.Mode != "" && s.Deploy.Mode != "replicated" {
		c.refuse(c.path(s.Name, "deploy", "mode"), "remove it, or write a DaemonSet or a Job by hand",
			"the mode %s of %s is not supported", s.Deploy.Mode, s.Name)
	}
}

// service adds the objects of one service.
func (c *conversion) service(s types.ServiceConfig, result *Result) {
	c.image(s)
	c.order(s)
	pod, ports := c.pod(s), c.ports[s.Name]
	if c.jobs[s.Name] {
		job := c.text("Begun by sluice init, from "+c.Name+".", []object{c.job(s, pod)})
		result.Jobs = append(result.Jobs, Job{objectName(s.Name), job})
		return
	}
	if len(ports) > 0 {
		c.manifests = append(c.manifests, serviceOf(objectName(s.Name), ports))
	}
	c.manifests = append(c.manifests, c.workload(s, pod))
}

// order says what becomes of depends_on: Kubernetes starts everything at once.
func (c *conversion) order(s types.ServiceConfig) {
	for _, name := range slices.Sorted(maps.Keys(s.DependsOn)) {
		if !c.jobs[name] && !c.jobs[s.Name] {
			c.leaveOut(c.path(s.Name, "depends_on", name), "let the program try again until it answers",
				"%s does not wait for %s: all services start at once", s.Name, name)
		}
	}
}

// text writes the objects as YAML documents below a comment.
func (c *conversion) text(comment string, objects []object) string {
	var documents []string
	for _, o := range objects {
		document, err := yaml.Marshal(o)
		if err != nil {
			c.invalid(err)
		}
		documents = append(documents, string(document))
	}
	return "# " + comment + "\n" + strings.Join(documents, "---\n")
}
