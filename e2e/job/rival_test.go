package job_test

import (
	"fmt"
	"os/exec"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// Two pods with the tools of this machine do what people do without Sluice: one sends a volume, one receives it.
const (
	receive = `
socat TCP-LISTEN:7000,reuseaddr,fork SYSTEM:'cat > /data/copy.tar.zst; sync -f /data; echo done' &
socat TCP-LISTEN:7002,reuseaddr,fork SYSTEM:'sync -f /data; echo done' &
printf 'uid = 0\ngid = 0\nuse chroot = no\n[to]\npath = /data\nread only = no\n' > /tmp/rsyncd.conf
exec rsync --daemon --no-detach --port=7001 --config=/tmp/rsyncd.conf
`
	sendTar   = `tar -C /data -cf - . | zstd -q -1 | socat -t 600 - TCP:%[1]s:7000`
	sendRsync = `rsync -a --checksum --inplace --no-whole-file /data/ rsync://%[1]s:7001/to/rsync/ &&
echo | socat -t 600 - TCP:%[1]s:7002`
)

// lacking returns which of the tools this machine does not have.
func lacking() (names []string) {
	for _, name := range []string{"sh", "tar", "zstd", "rsync", "socat"} {
		if _, err := exec.LookPath(name); err != nil {
			names = append(names, name)
		}
	}
	return names
}

// tools is a pod that runs the script with the tools of this machine and the volume at /data.
func tools(name, script string, v sluice.Volume) *corev1.Pod {
	root, c := int64(0), corev1.Container{
		Name: "tools", Image: sluiceImage, Command: []string{"/bin/sh", "-c", script},
		Env:          []corev1.EnvVar{{Name: "PATH", Value: "/usr/bin:/bin"}},
		VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}, {Name: "scratch", MountPath: "/tmp"}},
	}
	volumes := []corev1.Volume{
		{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{
			ClaimName: v.Mount}}},
		{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	for dir, at := range map[string]string{
		"/usr": "/usr", "/usr/bin": "/bin", "/usr/lib": "/lib", "/usr/lib64": "/lib64",
	} {
		name := "host-" + path.Base(at)
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: dir}}})
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: at, ReadOnly: true})
	}
	of := metav1.ObjectMeta{Name: name, Labels: map[string]string{"volume": v.Claim}}
	return &corev1.Pod{ObjectMeta: of, Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{c}, Volumes: volumes,
		SecurityContext: &corev1.PodSecurityContext{RunAsUser: &root},
	}}
}

// pod starts the pod and waits until it is in the phase.
func (p *place) pod(pod *corev1.Pod, until corev1.PodPhase) *corev1.Pod {
	p.Helper()
	pods := p.client.CoreV1().Pods(p.Namespace)
	made, err := pods.Create(p.Context(), pod, metav1.CreateOptions{})
	must(p.T, err)
	events, err := pods.Watch(p.Context(), metav1.ListOptions{
		FieldSelector: "metadata.name=" + pod.Name, ResourceVersion: made.ResourceVersion,
	})
	must(p.T, err)
	defer events.Stop()
	for e := range events.ResultChan() {
		now, ok := e.Object.(*corev1.Pod)
		switch {
		case !ok:
			p.Fatalf("the watch of pod %s ended: %v", pod.Name, e.Object)
		case now.Status.Phase == until:
			return now
		case now.Status.Phase == corev1.PodFailed || now.Status.Phase == corev1.PodSucceeded:
			p.Fatalf("pod %s: %s", pod.Name, p.logs(pod.Name))
		}
	}
	p.Fatalf("pod %s was not %s in time", pod.Name, until)
	return nil
}

func (p *place) logs(pod string) string {
	p.Helper()
	raw, err := p.client.CoreV1().Pods(p.Namespace).GetLogs(pod, &corev1.PodLogOptions{}).DoRaw(p.Context())
	must(p.T, err)
	return string(raw)
}

// send runs the script in a pod beside the volume, and returns how long it took there.
func (p *place) send(name, script, address string, v sluice.Volume) time.Duration {
	p.Helper()
	const timed = "begin=$(date +%%s%%N)\n%s || exit 1\necho took $(($(date +%%s%%N) - begin))"
	p.pod(tools(name, fmt.Sprintf(timed, fmt.Sprintf(script, address)), v), corev1.PodSucceeded)
	_, took, _ := strings.Cut(p.logs(name), "took ")
	d, err := time.ParseDuration(strings.TrimSpace(took) + "ns")
	must(p.T, err)
	return d
}
