package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// workingTimeout bounds how long the node may need to run a pod. After an outage of the API server kubelet and the
// controllers connect again with delays of up to a minute each.
const workingTimeout = 4 * time.Minute

// awaitWorking returns when a pod with a claim runs, so that no test waits for the controllers to find the API server
// again after another suite has stopped it.
func (c *Cluster) awaitWorking(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, workingTimeout)
	defer cancel()
	client, err := c.Client()
	if err != nil {
		return err
	}
	const name = "working"
	claims := client.CoreV1().PersistentVolumeClaims(metav1.NamespaceDefault)
	pods := client.CoreV1().Pods(metav1.NamespaceDefault)
	claim, err := claims.Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{GenerateName: name},
		Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	defer claims.Delete(context.WithoutCancel(ctx), claim.Name, metav1.DeleteOptions{})
	atOnce := int64(0)
	pod, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &atOnce,
			Containers: []corev1.Container{{Name: "pause", Image: pauseImage, ImagePullPolicy: corev1.PullNever,
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	defer pods.Delete(context.WithoutCancel(ctx), pod.Name, metav1.DeleteOptions{})
	return c.awaitRunning(ctx, client, pod.Name)
}

func (c *Cluster) awaitRunning(ctx context.Context, client *kubernetes.Clientset, pod string) error {
	one := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "pods", metav1.NamespaceDefault,
		fields.OneTermEqualSelector("metadata.name", pod))
	err := await(ctx, one, func(o runtime.Object) bool { return o.(*corev1.Pod).Status.Phase == corev1.PodRunning })
	if err != nil {
		return fmt.Errorf("wait for a pod to run in %s: %w", c.Name, err)
	}
	return nil
}
