package enginetest

import "testing"

// BenchmarkDeployments runs 1,000 deployments of 20 steps at once.
func BenchmarkDeployments(b *testing.B) {
	for b.Loop() {
		m, err := MeasureDeployments(b.Context(), 1000, 20)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(m.Steps)/m.Took.Seconds(), "steps/s")
		b.ReportMetric(float64(m.Percentile(0.5).Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(m.Percentile(0.99).Microseconds())/1000, "p99-ms")
	}
}

// BenchmarkReaction approves 1,000 waiting deployments, 100 a second.
func BenchmarkReaction(b *testing.B) {
	for b.Loop() {
		m, err := MeasureReaction(b.Context(), 1000, 20, 100)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(m.Percentile(0.5).Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(m.Percentile(0.99).Microseconds())/1000, "p99-ms")
	}
}

// BenchmarkResume takes 1,000 interrupted deployments up again.
func BenchmarkResume(b *testing.B) {
	for b.Loop() {
		took, err := MeasureResume(b.Context(), 1000, 20)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(took.Seconds(), "s-to-resume")
	}
}

func TestMeasurements(t *testing.T) {
	m, err := MeasureDeployments(t.Context(), 5, 6)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Reaction) != 5 || m.Steps != 30 || m.Percentile(0.5) <= 0 || m.Percentile(1) < m.Percentile(0.5) {
		t.Errorf("measured %+v", m)
	}
	m, err = MeasureReaction(t.Context(), 5, 6, 1000)
	if err != nil || len(m.Reaction) != 5 {
		t.Errorf("measured %+v: %v", m, err)
	}
	if _, err := MeasureResume(t.Context(), 5, 6); err != nil {
		t.Error(err)
	}
}
