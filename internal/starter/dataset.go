package starter

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// A Dataset is a workload that keeps data.
type Dataset struct {
	Name     string
	Engine   string // mongodb or files
	Workload string
	Claims   []string
	URI      string // of a database
	Secret   bool   // whether the URI needs the secret mongo_password
}

// mongo are the names of images that speak the protocol of MongoDB.
var mongo = []string{"mongo", "mongodb", "ferretdb", "percona-server-mongodb", "mongodb-community-server"}

// IsMongo reports whether the image is likely to be a server that speaks the protocol of MongoDB.
func IsMongo(image string) bool { return slices.Contains(mongo, Program(image)) }

// datasets returns a dataset for each workload with claims.
func (w *writer) datasets() (list []Dataset) {
	for _, o := range w.Objects {
		claims := claimsOf(o)
		if len(claims) == 0 {
			continue
		}
		d := Dataset{
			Name: o.Text("metadata", "name"), Engine: "files", Workload: o.Ref().String(), Claims: claims,
		}
		w.database(&d, o)
		w.guess("%s keeps data in %s: the dataset %s, with the engine %s", d.Workload, strings.Join(claims, ", "), d.Name,
			d.Engine)
		list = append(list, d)
	}
	return list
}

// database makes the dataset one of MongoDB if the workload runs such a server and a Service leads to it.
func (w *writer) database(d *Dataset, o sluice.Object) {
	isMongo := slices.ContainsFunc(Images([]sluice.Object{o}), IsMongo)
	service, port := w.service(o)
	if !isMongo || service == "" {
		return
	}
	login, query := "", ""
	if user, ok := env(o, "MONGO_INITDB_ROOT_USERNAME"); ok {
		d.Secret = true
		login, query = cmp.Or(user, "root")+":{{secrets.mongo_password}}@", "?authSource=admin"
	}
	d.Engine = "mongodb"
	d.URI = fmt.Sprintf("mongodb://%s%s:%d/%s%s", login, service, port, w.databaseName(), query)
	w.guess("the database is at %s", d.URI)
}

var mongoURI = regexp.MustCompile(`mongodb://[^/\s]+/([A-Za-z0-9_-]+)`)

// databaseName returns the database that the environment of a container names, otherwise the application.
func (w *writer) databaseName() string {
	for _, o := range w.Objects {
		for _, v := range variables(o) {
			if m := mongoURI.FindStringSubmatch(v.Text("value")); m != nil {
				return m[1]
			}
		}
	}
	return w.Application
}

// service returns the Service that leads to the workload's pods, and its first port.
func (w *writer) service(workload sluice.Object) (name string, port int) {
	labels, _ := workload.Field("spec", "template", "metadata", "labels").(map[string]any)
	for _, o := range w.Objects {
		selector, _ := o.Field("spec", "selector").(map[string]any)
		ports := o.List("spec", "ports")
		if o.Text("kind") != "Service" || len(selector) == 0 || len(ports) == 0 {
			continue
		}
		if all(selector, labels) {
			return o.Text("metadata", "name"), int(ports[0].Number(0, "port"))
		}
	}
	return "", 0
}

// all reports whether the labels have every pair of the selector.
func all(selector, labels map[string]any) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// claimsOf returns the claims that the workload's pods use.
func claimsOf(o sluice.Object) (claims []string) {
	if k := o.Text("kind"); k != "Deployment" && k != "StatefulSet" {
		return nil
	}
	for _, v := range o.List("spec", "template", "spec", "volumes") {
		if name := v.Text("persistentVolumeClaim", "claimName"); name != "" {
			claims = append(claims, name)
		}
	}
	for _, t := range o.List("spec", "volumeClaimTemplates") {
		first := int(o.Number(0, "spec", "ordinals", "start"))
		for i := range int(o.Number(1, "spec", "replicas")) {
			claims = append(claims, fmt.Sprintf("%s-%s-%d", t.Text("metadata", "name"), o.Text("metadata", "name"), first+i))
		}
	}
	return claims
}

// containers returns all containers of a workload.
func containers(o sluice.Object) []sluice.Object {
	pod := []string{"spec", "template", "spec"}
	return append(o.List(append(pod, "initContainers")...), o.List(append(pod, "containers")...)...)
}

// Images returns the images of all containers, each once.
func Images(objects []sluice.Object) (images []string) {
	for _, o := range objects {
		for _, c := range containers(o) {
			if image := c.Text("image"); image != "" && !slices.Contains(images, image) {
				images = append(images, image)
			}
		}
	}
	return images
}

// Program returns the name of the program that an image is likely to run: its name without registry and tag.
func Program(image string) string {
	name, _, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// Command returns the program that the containers of the image name themselves, "" if one of them does not.
func Command(objects []sluice.Object, image string) (command string) {
	for _, o := range objects {
		for _, c := range containers(o) {
			if c.Text("image") != image {
				continue
			}
			own, _ := c.Field("command").([]any)
			if len(own) == 0 {
				return ""
			}
			command, _ = own[0].(string)
		}
	}
	return command
}

// names warns of Services that containers reach by name: names are not resolved on this machine.
func (w *writer) names() {
	for _, o := range w.Objects {
		for _, v := range variables(o) {
			if s := w.serviceIn(v.Text("value")); s != "" {
				w.guess("%s of %s names the host %s, which this machine does not resolve: write $(%s_SERVICE_HOST)",
					v.Text("name"), o.Ref(), s, strings.ToUpper(strings.ReplaceAll(s, "-", "_")))
			}
		}
	}
}

// serviceIn returns the Service that is the host of a URL, "" if none is.
func (w *writer) serviceIn(url string) string {
	for _, o := range w.Objects {
		name := o.Text("metadata", "name")
		host := regexp.MustCompile(`(//|@)` + regexp.QuoteMeta(name) + `([:/.]|$)`)
		if o.Text("kind") == "Service" && host.MatchString(url) {
			return name
		}
	}
	return ""
}

// variables returns the environment of all containers of a workload.
func variables(o sluice.Object) (list []sluice.Object) {
	for _, c := range containers(o) {
		list = append(list, c.List("env")...)
	}
	return list
}

// env returns the value that a container of the workload gives a variable, "" if it comes from elsewhere.
func env(o sluice.Object, name string) (string, bool) {
	for _, v := range variables(o) {
		if v.Text("name") == name {
			return v.Text("value"), true
		}
	}
	return "", false
}
