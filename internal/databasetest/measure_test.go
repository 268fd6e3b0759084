package databasetest_test

import (
	"testing"

	"github.com/sluice-cd/sluice/internal/database/mongodb"
	"github.com/sluice-cd/sluice/internal/databasetest"
)

// BenchmarkVerification compares a verification with a plain cursor over the same collection.
func BenchmarkVerification(b *testing.B) {
	const documents = 20_000
	for b.Loop() {
		m, err := databasetest.MeasureVerification(b.Context(), documents, mongodb.New())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(documents/m.Verify[0].Seconds(), "verified/s")
		b.ReportMetric(documents/m.Cursor.Seconds(), "read/s")
		b.ReportMetric(m.Verify[0].Seconds()/m.Cursor.Seconds(), "times-cursor")
	}
}
