package databasetest_test

import (
	"testing"

	"github.com/sluice-cd/sluice/internal/database/mongodb"
	"github.com/sluice-cd/sluice/internal/databasetest"
)

func TestMongoDB(t *testing.T) { databasetest.Suite(t, mongodb.New()) }
