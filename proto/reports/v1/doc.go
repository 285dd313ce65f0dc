// Package reportsv1 is a report as other processes see it over gRPC: generated from reports.proto,
// which mirrors the JSON form of a report key by key, and from service.proto, the service that reads the
// log of reports. Inside the program a report is a
// [github.com/filelessd/filelessd/pkg/report.Report].
package reportsv1

//go:generate go run -C ../../../internal/tools ./protogen ../../proto reports/v1/reports.proto reports/v1/service.proto
