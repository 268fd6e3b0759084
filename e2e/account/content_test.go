package account_test

import (
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/sluice-cd/sluice"
)

// put writes the text into the volume.
func (w *world) put(v sluice.Volume, text string) error {
	_, err := w.mounted(v, "put", "/data/content", text)
	return err
}

// get returns the text in the volume.
func (w *world) get(v sluice.Volume) (string, error) { return w.mounted(v, "get", "/data/content") }

// mounted runs the talker in a pod that mounts the volume, and returns what it printed. The pod is gone afterwards.
func (w *world) mounted(v sluice.Volume, args ...string) (string, error) {
	ctx, pods := w.Context(), w.client.CoreV1().Pods(w.namespace)
	none := int64(0)
	pod, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "content-"},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &none,
			Containers: []corev1.Container{{
				Name: "main", Image: talker, ImagePullPolicy: corev1.PullNever, Args: args,
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
			}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: v.Mount},
			}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	phase, err := w.follow(ctx, pod, func(p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
	if err != nil {
		return "", err
	}
	out, err := w.printed(ctx, pod.Name)
	if err != nil {
		return "", err
	}
	if err := pods.Delete(ctx, pod.Name, metav1.DeleteOptions{}); err != nil {
		return "", err
	}
	if _, err := w.follow(ctx, pod, func(*corev1.Pod) bool { return false }); err != nil {
		return "", err
	}
	if phase != corev1.PodSucceeded {
		return "", fmt.Errorf("%s: %s", phase, out)
	}
	return out, nil
}

// follow returns when the pod is as wanted or gone.
func (w *world) follow(ctx context.Context, pod *corev1.Pod, isDone func(*corev1.Pod) bool) (corev1.PodPhase, error) {
	pods := w.client.CoreV1().Pods(w.namespace)
	changes, err := pods.Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector("metadata.name", pod.Name).String(),
		ResourceVersion: pod.ResourceVersion,
	})
	if err != nil {
		return "", err
	}
	defer changes.Stop()
	for e := range changes.ResultChan() {
		now, ok := e.Object.(*corev1.Pod)
		if ok && (e.Type == watch.Deleted || isDone(now)) {
			return now.Status.Phase, nil
		}
	}
	return "", fmt.Errorf("the watch of %s ended", pod.Name)
}

func (w *world) printed(ctx context.Context, pod string) (string, error) {
	logs, err := w.client.CoreV1().Pods(w.namespace).GetLogs(pod, &corev1.PodLogOptions{}).Stream(ctx)
	if err != nil {
		return "", err
	}
	defer logs.Close()
	data, err := io.ReadAll(logs)
	return string(data), err
}
