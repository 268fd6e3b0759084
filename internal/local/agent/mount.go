package agent

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// A mount is a container's mount path and its real path on this machine.
type mount struct{ at, real string }

// mounts returns where the container's mount paths really are, the longest first.
func (a *Agent) mounts(p *pod, c *container) []mount {
	var mounts []mount
	for _, m := range c.spec.VolumeMounts {
		at := path.Clean("/" + m.MountPath)
		mounts = append(mounts, mount{at, filepath.Join(a.containerRoot(p, c), at)})
	}
	slices.SortFunc(mounts, func(a, b mount) int { return cmp.Compare(len(b.at), len(a.at)) })
	return mounts
}

// fill puts the container's volumes at its mounts, anew at every start. The mutex is held.
func (a *Agent) fill(p *pod, c *container) error {
	for _, m := range c.spec.VolumeMounts {
		source, err := a.source(p, m.Name)
		if err != nil {
			return err
		}
		if m.SubPath != "" {
			source = filepath.Join(source, m.SubPath)
			err = a.makeSubPath(p, m, source)
		}
		if err == nil {
			err = relink(source, filepath.Join(a.containerRoot(p, c), path.Clean("/"+m.MountPath)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// makeSubPath makes an absent directory inside a writable volume; the files of ConfigMaps and Secrets are there.
func (a *Agent) makeSubPath(p *pod, m corev1.VolumeMount, at string) error {
	for _, v := range p.Spec.Volumes {
		if v.Name == m.Name && (v.ConfigMap != nil || v.Secret != nil) {
			return nil
		}
	}
	if _, err := os.Stat(at); err == nil {
		return nil
	}
	return os.MkdirAll(at, 0o700)
}

// relink makes link a symbolic link to target, whatever it was.
func relink(target, link string) error {
	if now, err := os.Readlink(link); err == nil && now == target {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
		return err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, link)
}

// source returns the directory of a pod's volume, filled.
func (a *Agent) source(p *pod, name string) (string, error) {
	i := slices.IndexFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == name })
	if i < 0 {
		return "", fmt.Errorf("the pod has no volume %q", name)
	}
	v, dir := p.Spec.Volumes[i], filepath.Join(a.podDir(p.UID), "volumes", name)
	switch {
	case v.PersistentVolumeClaim != nil:
		return a.claimDir(p.Namespace, v.PersistentVolumeClaim.ClaimName)
	case v.ConfigMap != nil:
		data, err := a.content("ConfigMap", p.Namespace, v.ConfigMap.Name, v.ConfigMap.Optional)
		if err != nil {
			return "", err
		}
		return dir, project(dir, data, v.ConfigMap.Items, v.ConfigMap.DefaultMode)
	case v.Secret != nil:
		data, err := a.content("Secret", p.Namespace, v.Secret.SecretName, v.Secret.Optional)
		if err != nil {
			return "", err
		}
		return dir, project(dir, data, v.Secret.Items, v.Secret.DefaultMode)
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// project writes the files of a ConfigMap or Secret. Nobody but the user may read them.
func project(dir string, data map[string]string, items []corev1.KeyToPath, mode *int32) error {
	files := data
	if len(items) > 0 {
		files = map[string]string{}
		for _, item := range items {
			value, ok := data[item.Key]
			if !ok {
				return fmt.Errorf("there is no key %q to be mounted", item.Key)
			}
			files[item.Path] = value
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	perm := fs.FileMode(0o600)
	if mode != nil {
		perm |= fs.FileMode(*mode) & 0o100
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, value := range files {
		at := filepath.Join(dir, filepath.Clean("/"+name))
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(at, []byte(value), perm); err != nil {
			return err
		}
	}
	return nil
}

// rewrite replaces the mount paths in a text by where they really are. It replaces a mount path only where a path can
// begin, and only before the end, a slash or a character that cannot continue a file name.
func rewrite(s string, mounts []mount) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		m, ok := mountAt(s, i, mounts)
		if !ok {
			b.WriteByte(s[i])
			i++
			continue
		}
		b.WriteString(m.real)
		i += len(m.at)
	}
	return b.String()
}

func mountAt(s string, i int, mounts []mount) (mount, bool) {
	if s[i] != '/' || i > 0 && inName(s[i-1]) && !strings.HasSuffix(s[:i], "://") {
		return mount{}, false
	}
	for _, m := range mounts {
		rest, ok := strings.CutPrefix(s[i:], m.at)
		if ok && (rest == "" || rest[0] == '/' || !inName(rest[0])) {
			return m, true
		}
	}
	return mount{}, false
}

// inName reports whether the character can continue a file name or path.
func inName(c byte) bool {
	return c == '/' || c == '.' || c == '-' || c == '_' || c == '~' || c == '}' || c == ')' || c >= 0x80 ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// rewritePath is rewrite for a path alone.
func rewritePath(at string, mounts []mount) string { return rewrite(path.Clean(at), mounts) }
