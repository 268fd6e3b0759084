package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/sluice-cd/sluice/internal/oci"
)

// imageName is where Sluice looks for the image of its Jobs by default; the tag is the version.
const imageName = "ghcr.io/sluice-cd/sluice"

// imageUser runs the server. It is nobody else's, and the manifests in deploy/server name it too.
const imageUser = 65532

// imageHome is where the server keeps its state, unless it is told another place.
const imageHome = "/var/lib/sluice"

// image is the name of the file with the image for one architecture, "" for that with all of them.
func (p product) image(arch string) string {
	if arch == "" {
		return fmt.Sprintf("%s_%s_image.tar", name, p.number())
	}
	return fmt.Sprintf("%s_%s_image_%s.tar", name, p.number(), arch)
}

// writeImages writes the container image of the programs for Linux: for each architecture alone, which Docker loads,
// and together, which is pushed to a registry.
func writeImages(p product, programs []program, dist string) error {
	var all []oci.Image
	for _, program := range programs {
		if program.os != "linux" {
			continue
		}
		binary, err := os.ReadFile(program.path)
		if err != nil {
			return err
		}
		image := packImage(p, program.arch, binary)
		if err := writeImage(p, filepath.Join(dist, p.image(program.arch)), image); err != nil {
			return err
		}
		all = append(all, image)
	}
	return writeImage(p, filepath.Join(dist, p.image("")), all...)
}

func writeImage(p product, path string, images ...oci.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(oci.Write(f, imageName+":"+p.version, images...), f.Close())
}

// packImage is the image of the server, and that of Sluice's own Jobs. It has no shell and no other program.
func packImage(p product, arch string, binary []byte) oci.Image {
	return oci.Image{
		Arch: arch, Entrypoint: []string{"/" + name}, User: fmt.Sprintf("%d:%[1]d", imageUser), Dir: imageHome,
		Created: p.date, Compress: true,
		Files: []oci.File{
			{Path: "/" + name, Data: binary, Mode: 0o755},
			{Path: "/etc/ssl/certs/ca-certificates.crt", Data: authorities(), Mode: 0o644},
			{Path: "/etc/passwd", Mode: 0o644, Data: fmt.Appendf(nil,
				"root:x:0:0:root:/:/sbin/nologin\n%[1]s:x:%[2]d:%[2]d:%[1]s:%[3]s:/sbin/nologin\n", name, imageUser, imageHome)},
			{Path: "/etc/group", Mode: 0o644, Data: fmt.Appendf(nil, "root:x:0:\n%s:x:%d:\n", name, imageUser)},
			{Path: "/tmp/", Mode: 0o1777},
			{Path: imageHome + "/", Mode: 0o700, Owner: imageUser},
		},
		Labels: map[string]string{
			"org.opencontainers.image.title": name, "org.opencontainers.image.description": summary,
			"org.opencontainers.image.url": homepage, "org.opencontainers.image.source": homepage,
			"org.opencontainers.image.documentation": homepage + "/tree/" + p.version + "/docs",
			"org.opencontainers.image.version":       p.version, "org.opencontainers.image.revision": p.commit,
			"org.opencontainers.image.created":  p.date.Format(time.RFC3339),
			"org.opencontainers.image.licenses": license, "org.opencontainers.image.vendor": name,
		},
	}
}

// authorities are Mozilla's certificate authorities, in PEM. Some are trusted by Mozilla only for certificates up to a
// date. A file cannot say so, and they are left out.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return out.Bytes()
}
