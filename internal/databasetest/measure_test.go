package databasetest_test

import (
	"testing"

	"github.com/sluice-cd/sluice/internal/databasetest"
)

// BenchmarkVerification compares a verification with a plain cursor over the same collection.
func BenchmarkVerification(b *testing.B) {
	const documents = 20_000
	for b.Loop() {
		verify, cursor, err := databasetest.MeasureVerification(b.Context(), documents)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(documents/verify.Seconds(), "verified/s")
		b.ReportMetric(documents/cursor.Seconds(), "read/s")
		b.ReportMetric(verify.Seconds()/cursor.Seconds(), "times-cursor")
	}
}
