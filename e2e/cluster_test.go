package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/image"
)

const echoImage = "sluice-e2e/echo:1"

var echoLabels = map[string]string{"app": "echo"}

func TestClustersRunPodsServicesAndVolumes(t *testing.T) {
	archive, err := image.Build(t.Context(), image.Source{Dir: "cmd/echo", Name: echoImage, Into: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Load(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	for _, c := range pair.Clusters() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, c)
			f.checkNodes(t)
			f.startEcho(t)
			pod := f.awaitPod(t)
			f.checkJob(t)
			f.checkLogs(t, pod)
			f.checkExec(t, pod)
			f.checkVolume(t)
			f.checkAutoscaler(t)
		})
	}
}

func TestAPIServerStopsAndStarts(t *testing.T) {
	if !pair.Owned {
		t.Skip("these clusters are not ours to stop")
	}
	client, err := pair.Cluster02.Client()
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Cluster02.StopAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Discovery().ServerVersion(); err == nil {
		t.Error("the API server answers although it is stopped")
	}
	if err := pair.Cluster02.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("after its start: %v", err)
	}
}

func TestRealDefinitionsAreEstablished(t *testing.T) {
	if !pair.Owned {
		t.Skip("definitions are not put into clusters that are not ours")
	}
	err := pair.Cluster01.InstallCRDs(t.Context(), cluster.GatewayAPI, cluster.Istio, cluster.SMITrafficSplit)
	if err != nil {
		t.Fatal(err)
	}
	client, err := pair.Cluster01.Client()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"gateway.networking.k8s.io/v1", "networking.istio.io/v1",
		"split.smi-spec.io/v1alpha4"} {
		if _, err := client.Discovery().ServerResourcesForGroupVersion(version); err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func TestAlreadyUpTakesNoTime(t *testing.T) {
	began := time.Now()
	again, err := cluster.Up(t.Context(), cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Up of clusters that are up took %v", took)
	}
	if again.Kubeconfig != pair.Kubeconfig {
		t.Errorf("the kubeconfig moved from %s to %s", pair.Kubeconfig, again.Kubeconfig)
	}
}

func TestContextsOfAPersonAreTakenAsTheyAre(t *testing.T) {
	t.Setenv("KUBECONFIG", pair.Kubeconfig)
	t.Setenv("E2E_CONTEXTS", "cluster02,cluster01")
	theirs, err := cluster.Up(t.Context(), cluster.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := pair.Cluster02.Config()
	if err != nil {
		t.Fatal(err)
	}
	config, err := theirs.Cluster01.Config()
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != ours.Host {
		t.Errorf("cluster01 is %s, want the first of E2E_CONTEXTS, %s", config.Host, ours.Host)
	}
	client, err := theirs.Cluster01.Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if err := theirs.Cluster01.StopAPIServer(t.Context()); !errors.Is(err, cluster.ErrNotOwned) {
		t.Errorf("stopping a person's API server gave %v, want %v", err, cluster.ErrNotOwned)
	}
	t.Setenv("E2E_CONTEXTS", "cluster02,elsewhere")
	if _, err := cluster.Up(t.Context(), cluster.Options{Dir: t.TempDir()}); err == nil ||
		!strings.Contains(err.Error(), `"elsewhere"`) {
		t.Errorf("an unknown context gave %v, want an error that names it", err)
	}
}

// A fixture is a namespace of a cluster, for one test.
type fixture struct {
	cluster   *cluster.Cluster
	client    kubernetes.Interface
	namespace string
}

func newFixture(t *testing.T, c *cluster.Cluster) fixture {
	t.Helper()
	client, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "echo-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{cluster: c, client: client, namespace: namespace.Name}
	t.Cleanup(func() { f.remove(t) })
	return f
}

// remove deletes the namespace and waits until it and its volumes are gone.
func (f fixture) remove(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := f.client.CoreV1().Namespaces().Delete(ctx, f.namespace, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	f.await(t, ctx, "the end of the namespace", f.watch(f.client.CoreV1().Namespaces().Watch), func() (bool, error) {
		_, err := f.client.CoreV1().Namespaces().Get(ctx, f.namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	f.await(t, ctx, "the end of the volumes", f.watch(f.client.CoreV1().PersistentVolumes().Watch), func() (bool, error) {
		volumes, err := f.client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
		return err == nil && len(volumes.Items) == 0, err
	})
	if !pair.Owned {
		return
	}
	if left, err := filepath.Glob(filepath.Join(f.cluster.Volumes(), "*")); err != nil || len(left) > 0 {
		t.Errorf("volumes left: %v, %v", left, err)
	}
}

type opener func(context.Context) (watch.Interface, error)

func (f fixture) watch(open func(context.Context, metav1.ListOptions) (watch.Interface, error)) opener {
	return func(ctx context.Context) (watch.Interface, error) { return open(ctx, metav1.ListOptions{}) }
}

// await checks the condition after each change that the watch reports.
func (f fixture) await(t *testing.T, ctx context.Context, what string, open opener, done func() (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	changes, err := open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer changes.Stop()
	for {
		if ok, err := done(); err != nil {
			t.Fatalf("wait for %s: %v", what, err)
		} else if ok {
			return
		}
		select {
		case _, open := <-changes.ResultChan():
			if !open {
				t.Fatalf("wait for %s: the watch ended", what)
			}
		case <-ctx.Done():
			t.Fatalf("%s did not happen: %v\n%s", what, ctx.Err(), f.events())
		}
	}
}

// events returns the events that say why something does not happen.
func (f fixture) events() string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	list, err := f.client.CoreV1().Events(f.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	var all strings.Builder
	for _, e := range list.Items {
		all.WriteString(e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name + ": " + e.Reason + ": " + e.Message + "\n")
	}
	return all.String()
}

func (f fixture) checkNodes(t *testing.T) {
	nodes, err := f.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
				t.Errorf("node %s is not ready: %s", node.Name, condition.Message)
			}
		}
	}
	if len(nodes.Items) == 0 {
		t.Error("the cluster has no node")
	}
}

// startEcho creates a claim, a Deployment that writes to it, and a Service.
func (f fixture) startEcho(t *testing.T) {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Mi")}},
		},
	}
	if _, err := f.client.CoreV1().PersistentVolumeClaims(f.namespace).Create(t.Context(), claim,
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := podTemplate("serve")
	pod.Labels = echoLabels
	source := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}
	pod.Spec.Volumes = []corev1.Volume{
		{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: source}},
	}
	container := &pod.Spec.Containers[0]
	container.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	container.ReadinessProbe = &corev1.Probe{ProbeHandler: httpProbe("/ready"), PeriodSeconds: 1}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "echo"},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: echoLabels}, Template: pod},
	}
	if _, err := f.client.AppsV1().Deployments(f.namespace).Create(t.Context(), deployment,
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "echo"},
		Spec:       corev1.ServiceSpec{Selector: echoLabels, Ports: []corev1.ServicePort{{Port: 8080}}},
	}
	if _, err := f.client.CoreV1().Services(f.namespace).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func podTemplate(args ...string) corev1.PodTemplateSpec {
	now := int64(0)
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: &now,
		Containers: []corev1.Container{
			{Name: "echo", Image: echoImage, ImagePullPolicy: corev1.PullNever, Args: args},
		},
	}}
}

func (f fixture) awaitPod(t *testing.T) string {
	t.Helper()
	var name string
	f.await(t, t.Context(), "a ready pod", f.watch(f.client.CoreV1().Pods(f.namespace).Watch), func() (bool, error) {
		pods, err := f.client.CoreV1().Pods(f.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=echo"})
		if err != nil {
			return false, err
		}
		for _, pod := range pods.Items {
			for _, condition := range pod.Status.Conditions {
				if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
					name = pod.Name
					return true, nil
				}
			}
		}
		return false, nil
	})
	return name
}

// checkJob calls the Service by its name, from another pod.
func (f fixture) checkJob(t *testing.T) {
	t.Helper()
	pod := podTemplate("get", "http://echo."+f.namespace+".svc.cluster.local:8080/job")
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	patience := int32(6)
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "ask"},
		Spec: batchv1.JobSpec{Template: pod, BackoffLimit: &patience}}
	if _, err := f.client.BatchV1().Jobs(f.namespace).Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.await(t, t.Context(), "the job's success", f.watch(f.client.BatchV1().Jobs(f.namespace).Watch),
		func() (bool, error) {
			job, err := f.client.BatchV1().Jobs(f.namespace).Get(t.Context(), "ask", metav1.GetOptions{})
			return err == nil && job.Status.Succeeded == 1, err
		})
}

func (f fixture) checkLogs(t *testing.T, pod string) {
	logs, err := f.client.CoreV1().Pods(f.namespace).GetLogs(pod, &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil || !strings.Contains(string(logs), "listening on port 8080") {
		t.Errorf("logs of %s: %q, %v", pod, logs, err)
	}
}

func (f fixture) checkExec(t *testing.T, pod string) {
	config, err := f.cluster.Config()
	if err != nil {
		t.Fatal(err)
	}
	request := f.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(f.namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: []string{"/echo", "get", "http://localhost:8080/exec"}, Stdout: true,
			Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(config, "POST", request.URL())
	if err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	if err := executor.StreamWithContext(t.Context(),
		remotecommand.StreamOptions{Stdout: &out, Stderr: &problems}); err != nil {
		t.Fatalf("exec: %v\n%s", err, &problems)
	}
	if want := "hello from " + pod + "\n"; out.String() != want {
		t.Errorf("exec printed %q, want %q", &out, want)
	}
}

// checkVolume looks on this machine for the files that the pods wrote.
func (f fixture) checkVolume(t *testing.T) {
	claim, err := f.client.CoreV1().PersistentVolumeClaims(f.namespace).Get(t.Context(), "data", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if claim.Status.Phase != corev1.ClaimBound {
		t.Fatalf("the claim is %s", claim.Status.Phase)
	}
	if !pair.Owned {
		return
	}
	book, err := os.ReadFile(filepath.Join(f.cluster.Volumes(), claim.Spec.VolumeName, "visitors"))
	if err != nil || !strings.Contains(string(book), "/job\n") {
		t.Errorf("the volume holds %q, %v; the job's visit is missing", book, err)
	}
}

func (f fixture) checkAutoscaler(t *testing.T) {
	autoscaler := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "echo"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "echo"},
			MaxReplicas:    3,
		},
	}
	if _, err := f.client.AutoscalingV2().HorizontalPodAutoscalers(f.namespace).Create(t.Context(), autoscaler,
		metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
}

func httpProbe(path string) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(8080)}}
}
