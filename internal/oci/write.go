package oci

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The types of the parts of an image.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar"
)

type object = map[string]any

// An archive is the file that is written: blobs, each once, and what names them.
type archive struct {
	tar  *tar.Writer
	date time.Time
	made map[string]bool
}

// Write writes an archive with the images, which differ in their architecture, under one name with a tag. docker load
// only loads an archive with one image.
func Write(to io.Writer, name string, images ...Image) error {
	if len(images) == 0 {
		return errors.New("an archive needs an image")
	}
	a := archive{tar.NewWriter(to), images[0].Created, map[string]bool{}}
	if err := a.write(name, images); err != nil {
		return errors.Join(err, a.tar.Close())
	}
	return a.tar.Close()
}

func (a archive) write(name string, images []Image) error {
	if err := a.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	var manifests []object
	for _, i := range images {
		m, err := a.image(name, i, len(images) == 1)
		if err != nil {
			return err
		}
		manifests = append(manifests, m)
	}
	top := manifests[0]
	if len(images) > 1 {
		var err error
		if top, err = a.json(typeIndex, index(manifests)); err != nil {
			return err
		}
	}
	top["annotations"] = object{
		"io.containerd.image.name":          whole(name),
		"org.opencontainers.image.ref.name": name[strings.LastIndex(name, ":")+1:],
	}
	return a.jsonFile("index.json", index([]object{top}))
}

func index(manifests []object) object {
	return object{"schemaVersion": 2, "mediaType": typeIndex, "manifests": manifests}
}

// image writes what one image consists of. It returns the descriptor of its manifest. Docker knows one image.
func (a archive) image(name string, i Image, docker bool) (object, error) {
	stored, plain, err := i.layer()
	if err != nil {
		return nil, err
	}
	kind := typeLayer
	if i.Compress {
		kind += "+gzip"
	}
	layer, err := a.blob(kind, stored)
	if err != nil {
		return nil, err
	}
	config, err := a.json(typeConfig, i.config(plain))
	if err != nil {
		return nil, err
	}
	manifest, err := a.json(typeManifest, object{
		"schemaVersion": 2, "mediaType": typeManifest, "config": config, "layers": []object{layer},
	})
	if err != nil {
		return nil, err
	}
	manifest["platform"] = object{"os": "linux", "architecture": i.Arch}
	if !docker {
		return manifest, nil
	}
	return manifest, a.jsonFile("manifest.json", []object{{
		"Config": place(config), "RepoTags": []string{name}, "Layers": []string{place(layer)},
	}})
}

// config says how the image is run. plain is its layer.
func (i Image) config(plain []byte) object {
	run := object{"Entrypoint": i.Entrypoint, "Env": []string{"PATH=/"}, "WorkingDir": "/"}
	if i.Dir != "" {
		run["WorkingDir"] = i.Dir
	}
	if i.User != "" {
		run["User"] = i.User
	}
	if len(i.Labels) > 0 {
		run["Labels"] = i.Labels
	}
	c := object{
		"architecture": i.Arch, "os": "linux", "config": run,
		"rootfs": object{"type": "layers", "diff_ids": []string{digest(plain)}},
	}
	if !i.Created.IsZero() {
		c["created"] = i.Created.Format(time.RFC3339)
	}
	return c
}

// whole returns the name as a container runtime keeps it, with its registry.
func whole(name string) string {
	first, _, found := strings.Cut(name, "/")
	switch {
	case !found:
		return "docker.io/library/" + name
	case strings.ContainsAny(first, ".:") || first == "localhost":
		return name
	}
	return "docker.io/" + name
}

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// place returns the path of a blob in the archive.
func place(blob object) string {
	return "blobs/" + strings.Replace(blob["digest"].(string), ":", "/", 1)
}

func (a archive) json(kind string, value any) (object, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return a.blob(kind, data)
}

// blob writes a blob and returns its descriptor.
func (a archive) blob(kind string, data []byte) (object, error) {
	blob := object{"mediaType": kind, "digest": digest(data), "size": len(data)}
	if a.made[place(blob)] {
		return blob, nil
	}
	a.made[place(blob)] = true
	return blob, a.file(place(blob), data)
}

func (a archive) jsonFile(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return a.file(name, data)
}

func (a archive) file(name string, data []byte) error {
	h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: a.date}
	if err := a.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err := a.tar.Write(data)
	return err
}
