package compose

import (
	"encoding/base64"
	"errors"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/compose-spec/compose-go/v2/types"
	"k8s.io/apimachinery/pkg/api/resource"
)

// isClaim reports whether a volume has a name, so that its content outlives the container.
func isClaim(v types.ServiceVolumeConfig) bool {
	return v.Type == types.VolumeTypeVolume && v.Source != ""
}

// claims adds a claim for each named volume that a service mounts.
func (c *conversion) claims() {
	users := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(c.project.Services)) {
		for _, v := range c.project.Services[name].Volumes {
			if isClaim(v) && !slices.Contains(users[v.Source], name) {
				users[v.Source] = append(users[v.Source], name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(users)) {
		at := []string{"volumes", name}
		if len(users[name]) > 1 {
			c.refuse(at, "give each of them a volume of its own, or keep the shared data in one service",
				"the volume %s is shared by %s, but a claim belongs to one of them", name, strings.Join(users[name], " and "))
		}
		if c.project.Volumes[name].External {
			c.leaveOut(append(at, "external"), "copy its data into the claim after the first deployment",
				"what the volume %s holds is not brought: its claim begins empty", name)
		}
		c.guess("the volume %s is a claim of 1Gi", name)
		c.manifests = append(c.manifests, claim(objectName(name)))
	}
}

func claim(name string) object {
	return object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": object{"name": name},
		"spec": object{
			"accessModes": []string{"ReadWriteOnce"}, "resources": object{"requests": object{"storage": "1Gi"}},
		},
	}
}

// mounts returns where the containers of a service find its volumes, and the volumes of their pod.
func (c *conversion) mounts(s types.ServiceConfig) (mounts, volumes []object) {
	add := func(name, at, subPath string, readOnly bool, source object) {
		mount := object{"name": name, "mountPath": at}
		if subPath != "" {
			mount["subPath"] = subPath
		}
		if readOnly {
			mount["readOnly"] = true
		}
		mounts = append(mounts, mount)
		source["name"] = name
		if !slices.ContainsFunc(volumes, func(v object) bool { return v["name"] == name }) {
			volumes = append(volumes, source)
		}
	}
	for i, v := range s.Volumes {
		if source := c.volume(s, i); source != nil {
			name, subPath := "scratch-"+strconv.Itoa(i), ""
			if isClaim(v) {
				name = objectName(v.Source)
			}
			if v.Volume != nil {
				subPath = v.Volume.Subpath
			}
			add(name, v.Target, subPath, v.ReadOnly, source)
		}
	}
	for i, t := range s.Tmpfs {
		target, _, _ := strings.Cut(t, ":")
		add("tmpfs-"+strconv.Itoa(i), target, "", false, object{"emptyDir": object{"medium": "Memory"}})
	}
	for _, f := range s.Configs {
		name, at := "config-"+objectName(f.Source), absolute(f.Target, "/", f.Source)
		add(name, at, f.Source, true, object{"configMap": fileSource("name", f.Source, f.Mode)})
	}
	for _, f := range s.Secrets {
		name, at := "secret-"+objectName(f.Source), absolute(f.Target, "/run/secrets/", f.Source)
		add(name, at, f.Source, true, object{"secret": fileSource("secretName", f.Source, f.Mode)})
	}
	return mounts, volumes
}

func absolute(target, dir, source string) string {
	if target == "" {
		target = source
	}
	if path.IsAbs(target) {
		return target
	}
	return dir + target
}

func fileSource(key, source string, mode *types.FileMode) object {
	o := object{key: objectName(source)}
	if mode != nil {
		o["defaultMode"] = int64(*mode)
	}
	return o
}

// volume returns what an entry of volumes mounts, nil if that cannot be had.
func (c *conversion) volume(s types.ServiceConfig, i int) object {
	v := s.Volumes[i]
	switch {
	case isClaim(v):
		return object{"persistentVolumeClaim": object{"claimName": objectName(v.Source)}}
	case v.Type == types.VolumeTypeVolume:
		c.guess("%s of %s is empty when a pod starts, because its volume has no name", v.Target, s.Name)
		return object{"emptyDir": object{}}
	case v.Type == types.VolumeTypeTmpfs:
		dir := object{"medium": "Memory"}
		if v.Tmpfs != nil && v.Tmpfs.Size > 0 {
			dir["sizeLimit"] = resource.NewQuantity(int64(v.Tmpfs.Size), resource.BinarySI).String()
		}
		return object{"emptyDir": dir}
	}
	c.refuse(c.path(s.Name, "volumes", i), "mount files with configs or secrets, and data with a named volume",
		"%s mounts %s of this machine, which is not there on another one", s.Name, v.Source)
	return nil
}

// files adds a ConfigMap for each config, and a Secret for each secret.
func (c *conversion) files() {
	for _, name := range slices.Sorted(maps.Keys(c.project.Configs)) {
		if content, ok := c.content("configs", name, types.FileObjectConfig(c.project.Configs[name])); ok {
			o := object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": objectName(name)}}
			c.manifests = append(c.manifests, withContent(o, name, content, "data", "binaryData"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.project.Secrets)) {
		if content, ok := c.content("secrets", name, types.FileObjectConfig(c.project.Secrets[name])); ok {
			c.Secret(content)
			o := object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": objectName(name)}}
			c.secrets = append(c.secrets, withContent(o, name, content, "stringData", "data"))
		}
	}
}

// content returns what a config or a secret holds.
func (c *conversion) content(kind, name string, f types.FileObjectConfig) (string, bool) {
	at := []string{kind, name}
	switch {
	case bool(f.External):
		c.leaveOut(at, "create it in the namespaces of the targets, or give it a file",
			"%s %s is not written: it is external", strings.TrimSuffix(kind, "s"), name)
		return "", false
	case f.Environment != "":
		value, is := c.project.Environment[f.Environment]
		if !is {
			c.refuse(at, "set it, or add it to the file .env", "the variable %s, which %s is made of, is not set",
				f.Environment, name)
		}
		return value, is
	case f.File == "":
		return f.Content, true
	}
	text, err := os.ReadFile(f.File)
	if err != nil {
		c.refuse(append(at, "file"), "name a file that is there", "%s cannot be read: %v", name, errors.Unwrap(err))
		return "", false
	}
	return string(text), true
}

// withContent adds a file, as text if it is text.
func withContent(o object, name, content, plain, binary string) object {
	if utf8.ValidString(content) {
		o[plain] = object{name: content}
		return o
	}
	o[binary] = object{name: base64.StdEncoding.EncodeToString([]byte(content))}
	return o
}
