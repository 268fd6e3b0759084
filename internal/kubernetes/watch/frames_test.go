package watch

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

const protobufType = "application/vnd.kubernetes.protobuf"

// wrapped returns the object as an API server sends it as protobuf.
func wrapped(t testing.TB, o runtime.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := protobuf.NewSerializer(nil, nil).Encode(o, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sent returns the frame of a watch that tells of the object.
func sent(t testing.TB, what string, o runtime.Object) []byte {
	t.Helper()
	e := metav1.WatchEvent{Type: what, Object: runtime.RawExtension{Raw: wrapped(t, o)}}
	data, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
}

// asJSON is sent in JSON.
func asJSON(t testing.TB, what string, o any) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"type": what, "object": o})
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func statusOf(code int32) *metav1.Status {
	kind := metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return &metav1.Status{TypeMeta: kind, Status: "Failure", Code: code, Message: "no"}
}

func answerOf(contentType string, body []byte) *http.Response {
	return &http.Response{
		Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// metaOf is the metadata of an object that a controller has made.
func metaOf(name, owner string) metav1.ObjectMeta {
	yes, at := true, metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	owned := metav1.OwnerReference{APIVersion: "apps/v1", Kind: owner, Name: "web", UID: "d", Controller: &yes}
	return metav1.ObjectMeta{
		Name: name, Namespace: "shop", UID: "u", ResourceVersion: "7", CreationTimestamp: at, DeletionTimestamp: &at,
		Labels: map[string]string{"app": "web", "pod-template-hash": "1"}, Annotations: map[string]string{"a": "b"},
		OwnerReferences: []metav1.OwnerReference{owned},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m", Operation: "Update", FieldsType: "FieldsV1", Time: &at,
			FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:metadata":{"f:labels":{".":{},"f:app":{}}}}`)}}},
	}
}

func podFor() *corev1.Pod {
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	return &corev1.Pod{
		ObjectMeta: metaOf("web-1-x", "ReplicaSet"),
		Spec:       corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{Name: "web", Image: "web:1"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Reason: "r", Message: "m",
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: at}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "web", RestartCount: 2, State: corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}},
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "init", State: corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, FinishedAt: at}}}},
		},
	}
}

func setFor() *appsv1.ReplicaSet {
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	return &appsv1.ReplicaSet{
		ObjectMeta: metaOf("web-1", "Deployment"),
		Spec: appsv1.ReplicaSetSpec{Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web", "pod-template-hash": "1"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1",
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1500m")}}}}},
		}},
		Status: appsv1.ReplicaSetStatus{Conditions: []appsv1.ReplicaSetCondition{{Type: appsv1.ReplicaSetReplicaFailure,
			Status: corev1.ConditionTrue, Message: "quota", LastTransitionTime: at}}},
	}
}

// What is kept of an object is the same whether it came as protobuf or as JSON.
func TestBothFormsSayTheSame(t *testing.T) {
	t.Run("pod", func(t *testing.T) {
		later := podFor()
		later.Labels, later.Status.Message = map[string]string{"ppa": "bew"}, "n"
		saysTheSame(t, podForm, podFor(), later)
	})
	t.Run("replica set", func(t *testing.T) {
		later := setFor()
		later.Labels, later.Spec.Template.Labels = map[string]string{"ppa": "bew"}, nil
		got := saysTheSame(t, setForm, setFor(), later)
		if got.ownerUID != "d" || got.refusal.message != "quota" || got.meta.Text("metadata", "deletionTimestamp") == "" {
			t.Errorf("%+v", got)
		}
		stored := sluice.Object(convert(t, setFor()))
		if got.template != templateDigest(stored) {
			t.Error("its template is not that of the Deployment from which it was made")
		}
	})
}

// saysTheSame returns what is kept of the object, also after a later one was read.
func saysTheSame[T any](t *testing.T, form *client.Form[T], o, later runtime.Object) T {
	t.Helper()
	read := func(contentType string, body, next []byte) T {
		frames := framesOf(answerOf(contentType, slices.Concat(body, next)), form)
		what, item, err := frames()
		if what != "MODIFIED" || err != nil {
			t.Fatalf("%s: %s, %v", contentType, what, err)
		}
		if _, _, err := frames(); err != nil {
			t.Fatal(err)
		}
		return item
	}
	got := read(protobufType+";stream=watch", sent(t, "MODIFIED", o), sent(t, "MODIFIED", later))
	want := read("application/json", asJSON(t, "MODIFIED", o), asJSON(t, "MODIFIED", later))
	if d := cmp.Diff(want, got, cmp.AllowUnexported(replicaSet{}, refusal{})); d != "" {
		t.Errorf("-JSON +protobuf\n%s", d)
	}
	return got
}

func convert(t *testing.T, o any) map[string]any {
	t.Helper()
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A frame that breaks off, that is too large or that says why the watch ends is an error.
func TestFramesThatAreErrors(t *testing.T) {
	whole := sent(t, "ADDED", podFor())
	gone := statusOf(http.StatusGone)
	for name, tt := range map[string]struct {
		body    []byte
		expired bool
	}{
		"nothing":        {nil, false},
		"a broken frame": {whole[:len(whole)-1], false},
		"too large":      {binary.BigEndian.AppendUint32(nil, 1<<31), false},
		"no object":      {append(binary.BigEndian.AppendUint32(nil, 2), 'x', 'y'), false},
		"expired":        {sent(t, "ERROR", gone), true},
	} {
		_, _, err := framesOf(answerOf(protobufType, tt.body), podForm)()
		if err == nil || isExpired(err) != tt.expired {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An API server that can is asked for protobuf, and also refuses in that form.
func TestReflectorAsksForProtobuf(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Accept"), protobufType) {
			t.Errorf("it accepts %s", r.Header.Get("Accept"))
		}
		asked++
		w.Header().Set("Content-Type", protobufType)
		if r.URL.Query().Get("watch") == "" {
			list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: fmt.Sprint(10 * asked)},
				Items: []corev1.Pod{*podFor()}}
			_, _ = w.Write(wrapped(t, list))
			return
		}
		if asked == 2 {
			_, _ = w.Write(sent(t, "DELETED", podFor()))
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write(wrapped(t, statusOf(http.StatusForbidden)))
	}))
	defer server.Close()
	c, err := client.New("test", &rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	r := record{make(chan string, 9)}
	l := newLists(c, "shop").pods.reflector
	l.store = r
	if err := l.run(t.Context()); sluice.ErrorCode(err) != sluice.Denied || !strings.Contains(fmt.Sprint(err), "no") {
		t.Errorf("it ends with %v", err)
	}
	close(r.told)
	var told []string
	for word := range r.told {
		told = append(told, word)
	}
	if d := cmp.Diff([]string{"replace 1 at 10", "drop web-1-x", "replace 1 at 30"}, told); d != "" {
		t.Errorf("told: -want +got\n%s", d)
	}
}

// An endless body repeats one frame.
type endless struct {
	frame []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.frame[e.at:])
	e.at = (e.at + n) % len(e.frame)
	return n, nil
}

func benchmark[T any](b *testing.B, form *client.Form[T], contentType string, frame []byte) {
	r := answerOf(contentType, nil)
	r.Body = io.NopCloser(&endless{frame: frame})
	next := framesOf(r, form)
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		if _, _, err := next(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFrames(b *testing.B) {
	b.Run("pod as JSON", func(b *testing.B) {
		benchmark(b, podForm, "application/json", asJSON(b, "MODIFIED", podFor()))
	})
	b.Run("pod as protobuf", func(b *testing.B) { benchmark(b, podForm, protobufType, sent(b, "MODIFIED", podFor())) })
	b.Run("replica set as JSON", func(b *testing.B) {
		benchmark(b, setForm, "application/json", asJSON(b, "MODIFIED", setFor()))
	})
	b.Run("replica set as protobuf", func(b *testing.B) {
		benchmark(b, setForm, protobufType, sent(b, "MODIFIED", setFor()))
	})
}
