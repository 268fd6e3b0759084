package beside

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
)

// How a Job ends if Sluice never comes back.
const (
	idle     = 5 * time.Minute // without a connection
	lifetime = 24 * time.Hour  // at most
	kept     = 5 * time.Minute // its object after its end
	hasty    = 5 * time.Second // from the signal to end until it is killed
	patient  = 35 * time.Second
)

const (
	digest      = "sluice-cd.github.io/digest"
	nobody      = 65532
	configMount = "config"

	scratchMount = "scratch" // for what does not fit into memory, such as the documents that are masked
)

// The capabilities of a pod. Only root may read files of every owner, and give files to other owners.
var (
	reading = []any{"DAC_OVERRIDE"}
	writing = []any{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"}
)

func (w Work) jobRef() sluice.Ref     { return w.ref("batch/v1", "Job") }
func (w Work) secretRef() sluice.Ref  { return w.ref("v1", "Secret") }
func (w Work) serviceRef() sluice.Ref { return w.ref("v1", "Service") }

func (w Work) ref(apiVersion, kind string) sluice.Ref {
	return sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: w.Place.Namespace, Name: w.Name}
}

// object returns an object of the work with its labels.
func (w Work) object(ref sluice.Ref, spec map[string]any) sluice.Object {
	o := sluice.Object{"apiVersion": ref.APIVersion, "kind": ref.Kind}
	maps.Copy(o, spec)
	o.Set(ref.Name, "metadata", "name")
	o.Set(ref.Namespace, "metadata", "namespace")
	o.Set(w.labels(), "metadata", "labels")
	return o
}

func (w Work) labels() map[string]any {
	return map[string]any{"app.kubernetes.io/managed-by": "sluice", sluice.WorkLabel: w.Name}
}

// secret returns the Secret with what the Job knows of its connection.
func (w Work) secret(k keys, dial string) (sluice.Object, error) {
	c := Config{Peer: k.ours.public(), Dial: dial, Idle: idle}
	for _, v := range w.Volumes {
		c.Claims = append(c.Claims, v.Claim)
	}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "the settings of a Job cannot be written as JSON: %w", err)
	}
	return w.object(w.secretRef(), map[string]any{
		"type": "Opaque", "data": map[string]any{
			configFile: base64.StdEncoding.EncodeToString(data),
			secretFile: base64.StdEncoding.EncodeToString([]byte(k.secret)),
		},
	}), nil
}

// service returns the Service through which Sluice reaches the Job.
func (w Work) service() sluice.Object {
	return w.object(w.serviceRef(), map[string]any{"spec": map[string]any{
		"selector": map[string]any{sluice.WorkLabel: w.Name},
		"ports":    []any{map[string]any{"name": "sluice", "port": int64(port), "targetPort": int64(port)}},
	}})
}

// job returns the Job. Its annotation is a digest of its spec, by which another version of it is known.
func (w Work) job(s Settings) (sluice.Object, error) {
	o := w.object(w.jobRef(), map[string]any{"spec": map[string]any{
		"backoffLimit": w.retries(), "activeDeadlineSeconds": int64(lifetime.Seconds()),
		"ttlSecondsAfterFinished": int64(kept.Seconds()),
		"template":                map[string]any{"metadata": map[string]any{"labels": w.labels()}, "spec": w.pod(s)},
	}})
	spec, err := json.Marshal(o["spec"])
	if err != nil {
		return nil, sluice.Errorf(sluice.Internal, "a Job cannot be written as JSON: %w", err)
	}
	sum := sha256.Sum256(spec)
	o.Set(hex.EncodeToString(sum[:8]), "metadata", "annotations", digest)
	return o, nil
}

func (w Work) pod(s Settings) map[string]any {
	mounts := []any{
		map[string]any{"name": configMount, "mountPath": ConfigDir, "readOnly": true},
		map[string]any{"name": scratchMount, "mountPath": "/tmp"},
	}
	all := []any{
		w.configVolume(),
		map[string]any{"name": scratchMount, "emptyDir": map[string]any{}},
	}
	for i, v := range w.Volumes {
		name := "volume-" + strconv.Itoa(i)
		mounts = append(mounts, map[string]any{"name": name, "mountPath": VolumeDir(i), "readOnly": w.ReadOnly})
		all = append(all, map[string]any{"name": name, "persistentVolumeClaim": map[string]any{"claimName": v.Mount,
			"readOnly": w.ReadOnly}})
	}
	return map[string]any{
		"restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false,
		"terminationGracePeriodSeconds": w.grace(), "volumes": all,
		"securityContext": map[string]any{"seccompProfile": map[string]any{"type": "RuntimeDefault"}},
		"containers": []any{map[string]any{
			"name": "sluice", "image": s.Image, "args": []any{"beside"}, "volumeMounts": mounts,
			"ports":           []any{map[string]any{"name": "sluice", "containerPort": int64(port)}},
			"resources":       s.resources(),
			"securityContext": w.security(s),
		}},
	}
}

// configVolume returns the directory of what the pod must know. A pod that starts later also finds what is kept then.
func (w Work) configVolume() map[string]any {
	if !w.Keeps {
		return map[string]any{"name": configMount, "secret": map[string]any{"secretName": w.Name}}
	}
	return map[string]any{"name": configMount, "projected": map[string]any{"sources": []any{
		map[string]any{"secret": map[string]any{"name": w.Name}},
		map[string]any{"secret": map[string]any{"name": w.keptRef().Name, "optional": true}},
	}}}
}

func (w Work) retries() int64 {
	if w.Keeps {
		return retries
	}
	return 0
}

// grace returns how many seconds the pod has to end. What would be kept may need some of them.
func (w Work) grace() int64 {
	if w.Keeps {
		return int64(patient.Seconds())
	}
	return int64(hasty.Seconds())
}

// security returns the rights of the container. It runs as root only for files, and then with few of root's rights.
func (w Work) security(s Settings) map[string]any {
	c := map[string]any{
		"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
		"capabilities": map[string]any{"drop": []any{"ALL"}},
	}
	if user := w.user(s); user != 0 {
		c["runAsUser"], c["runAsNonRoot"] = user, true
		return c
	}
	add := writing
	if w.ReadOnly {
		add = reading
	}
	c["runAsUser"] = int64(0)
	c["capabilities"] = map[string]any{"drop": []any{"ALL"}, "add": add}
	return c
}

// user returns the user of the container. Work without volumes needs no rights at all.
func (w Work) user(s Settings) int64 {
	if len(w.Volumes) == 0 {
		return cmp.Or(s.User, nobody)
	}
	return s.User
}

func (s Settings) resources() map[string]any {
	limits := map[string]any{
		"cpu": cmp.Or(s.CPU, DefaultCPU), "memory": cmp.Or(s.Memory, DefaultMemory),
	}
	return map[string]any{"limits": limits, "requests": map[string]any{"cpu": "100m", "memory": "128Mi"}}
}
