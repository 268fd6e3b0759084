package manifest

import (
	"iter"
	"strings"

	"github.com/sluice-cd/sluice"
)

// SetImages gives the containers of the object's pods other images, init containers included. images maps the name of
// an image, as the manifest has it without tag and digest, to a tag, a digest (sha256:…) or another reference. It
// returns the names that it found.
func SetImages(o sluice.Object, images map[string]string) (found []string) {
	for c := range containers(o) {
		name := imageName(c.Text("image"))
		if to, ok := images[name]; ok && name != "" {
			c.Set(imageOf(name, to), "image")
			found = append(found, name)
		}
	}
	return found
}

// Images returns the images of the containers of the object's pods, init containers included.
func Images(o sluice.Object) []string {
	var list []string
	for c := range containers(o) {
		list = append(list, c.Text("image"))
	}
	return list
}

// ImageNames returns the names by which SetImages replaces images of the object.
func ImageNames(o sluice.Object) []string {
	var list []string
	for c := range containers(o) {
		list = append(list, imageName(c.Text("image")))
	}
	return list
}

// containers yields the containers of the object's pods, init containers included.
func containers(o sluice.Object) iter.Seq[sluice.Object] {
	return func(yield func(sluice.Object) bool) {
		for _, path := range [][]string{
			{"spec"}, {"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"},
		} {
			for _, kind := range []string{"containers", "initContainers"} {
				for _, c := range o.List(append(path, kind)...) {
					if !yield(c) {
						return
					}
				}
			}
		}
	}
}

// imageName returns the reference without tag and digest.
func imageName(reference string) string {
	name, _, _ := strings.Cut(reference, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i] // what follows a slash is no port
	}
	return name
}

// imageOf returns the image with a tag or a digest, or the other reference.
func imageOf(name, to string) string {
	switch {
	case strings.HasPrefix(to, "sha256:"):
		return name + "@" + to
	case strings.ContainsAny(to, "/:@"):
		return to
	}
	return name + ":" + to
}
