package service

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/lifetime"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// maxChunk is the largest chunk of a download, in bytes.
const maxChunk = 64 << 10

// usage is the CopilotUsageService.
type usage struct {
	parleyv1.UnimplementedCopilotUsageServiceServer

	*Services
}

var _ parleyv1.CopilotUsageServiceServer = (*usage)(nil)

// ListCopilotUsage answers with one page.
func (u *usage) ListCopilotUsage(ctx context.Context, req *parleyv1.ListCopilotUsageRequest) (*parleyv1.ListCopilotUsageResponse, error) {
	access, q, err := u.prepare(ctx, req)
	if err != nil {
		return nil, err
	}
	return u.engine.ListCopilotUsage(ctx, access.sources, q, req.GetPageToken(), pageSize(req.GetPageSize()))
}

type usageSender = sender[parleyv1.StreamCopilotUsageResponse, *parleyv1.StreamCopilotUsageResponse]

// StreamCopilotUsage sends all frames.
func (u *usage) StreamCopilotUsage(req *parleyv1.StreamCopilotUsageRequest, stream grpc.ServerStreamingServer[parleyv1.StreamCopilotUsageResponse]) error {
	access, q, err := u.prepare(stream.Context(), req)
	if err != nil {
		return err
	}
	q.Reconnect = callinfo.FromContext(stream.Context()).Reconnecting()
	return runStream(u.streams, stream, access, func(ctx context.Context, out *usageSender) error {
		return u.engine.StreamCopilotUsage(ctx, access.sources, q, req.GetResumeToken(), out.sendFrame)
	})
}

// SummarizeCopilotUsage answers with the counts of a period.
func (u *usage) SummarizeCopilotUsage(ctx context.Context, req *parleyv1.SummarizeCopilotUsageRequest) (*parleyv1.SummarizeCopilotUsageResponse, error) {
	access, q, err := u.prepareCounts(ctx, req)
	if err != nil {
		return nil, err
	}
	return u.engine.SummarizeCopilotUsage(ctx, access.sources, q)
}

// ListCopilotUsageTrends answers with one page of the counts by day.
func (u *usage) ListCopilotUsageTrends(ctx context.Context, req *parleyv1.ListCopilotUsageTrendsRequest) (*parleyv1.ListCopilotUsageTrendsResponse, error) {
	access, q, err := u.prepareCounts(ctx, req)
	if err != nil {
		return nil, err
	}
	return u.engine.ListCopilotUsageTrends(ctx, access.sources, q, req.GetPageToken(), pageSize(req.GetPageSize()))
}

// usageRequest is the common part of the requests.
type usageRequest interface {
	GetPeriod() string
	GetVersion() string
}

// rowsRequest asks for the rows of users.
type rowsRequest interface {
	usageRequest
	GetFilter() string
	GetInclude() parleyv1.CopilotUsageInclusion
}

// prepare reads and authorizes a request for rows.
func (u *usage) prepare(ctx context.Context, req rowsRequest) (*accessGrant, query.Usage, error) {
	q := query.Usage{
		Period: req.GetPeriod(), Version: req.GetVersion(), Filter: req.GetFilter(),
		Inactive: req.GetInclude() == parleyv1.CopilotUsageInclusion_COPILOT_USAGE_INCLUSION_INACTIVE,
	}
	if err := q.CheckFilter(); err != nil {
		return nil, q, err
	}
	reads := []parleyv1.Source{parleyv1.Source_SOURCE_USAGE}
	if q.Inactive {
		reads = append(reads, parleyv1.Source_SOURCE_USER)
	}
	access, err := u.authorizeReport(ctx, req, reads...)
	if err != nil {
		return nil, q, err
	}
	if q.Inactive && access.sources.Users == nil {
		return nil, q, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD)
	}
	q.Caller, q.Tenant, q.BoundTo = access.binding()
	return access, q, nil
}

// prepareCounts reads and authorizes a request for counts.
func (u *usage) prepareCounts(ctx context.Context, req usageRequest) (*accessGrant, query.UsageCounts, error) {
	q := query.UsageCounts{Period: req.GetPeriod(), Version: req.GetVersion()}
	access, err := u.authorizeReport(ctx, req, parleyv1.Source_SOURCE_USAGE)
	if err != nil {
		return nil, q, err
	}
	q.Caller, q.Tenant, q.BoundTo = access.binding()
	return access, q, nil
}

// authorizeReport authorizes a call for a report and the other sources that it reads, and checks that the report exists in this form.
func (u *usage) authorizeReport(ctx context.Context, req usageRequest, reads ...parleyv1.Source) (*accessGrant, error) {
	access, err := u.authorizer.authorize(ctx, accessScope{sources: reads})
	if err != nil {
		return nil, err
	}
	switch period, version := req.GetPeriod(), req.GetVersion(); {
	case period == "D28" && version == "v1":
		return nil, apierror.Invalid("period", "D28 exists in version v2 only")
	case period == "D30" && version == "v2":
		return nil, apierror.Invalid("period", "D30 exists in version v1 only; v2 has D28")
	}
	for _, src := range reads {
		if err := access.checkAvailable(src); err != nil {
			return nil, err
		}
	}
	return access, nil
}

// reports are the reports that a download can name.
var reports = map[parleyv1.CopilotUsageReport]source.UsageReport{
	parleyv1.CopilotUsageReport_COPILOT_USAGE_REPORT_SUMMARY: source.SummaryReport,
	parleyv1.CopilotUsageReport_COPILOT_USAGE_REPORT_TRENDS:  source.TrendsReport,
}

// DownloadCopilotUsage sends the report's bytes as they come.
func (u *usage) DownloadCopilotUsage(req *parleyv1.DownloadCopilotUsageRequest, stream grpc.ServerStreamingServer[httpbody.HttpBody]) error {
	access, err := u.authorizeReport(stream.Context(), req, parleyv1.Source_SOURCE_USAGE)
	if err != nil {
		return err
	}
	if access.reports == nil {
		return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD)
	}
	ctx, closer, release := u.streams.watch(stream.Context())
	defer release()
	report := source.UsageQuery{Report: reports[req.GetReport()], Period: req.GetPeriod(), Version: req.GetVersion()}
	body, mediaType, err := access.reports.Download(ctx, report)
	if err != nil {
		return closer.Result(apierror.WithSource(parleyv1.Source_SOURCE_USAGE, err))
	}
	err = sendChunks(stream, closer, body, mediaType)
	if closed := body.Close(); err == nil && closed != nil {
		err = fmt.Errorf("close report: %w", closed)
	}
	return closer.Result(apierror.WithSource(parleyv1.Source_SOURCE_USAGE, err))
}

// sendChunks sends a report in chunks; the first one, which may be empty, carries the media type.
func sendChunks(stream grpc.ServerStreamingServer[httpbody.HttpBody], closer *lifetime.StreamCloser, body io.Reader, mediaType string) error {
	for first := true; ; first = false {
		// The message keeps its bytes until it is on the wire, so each chunk has its own.
		chunk := make([]byte, maxChunk)
		n, err := fill(body, chunk)
		if n > 0 || first && errors.Is(err, io.EOF) {
			message := &httpbody.HttpBody{Data: chunk[:n]}
			if first {
				message.ContentType = mediaType
			}
			if sent := closer.Send(func() error { return stream.Send(message) }); sent != nil {
				return sent
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// fill reads until the buffer is full or the reader fails. Unlike io.ReadFull it keeps the reader's own error, so that a
// report that ended can be told from one that broke off.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var read int
		read, err = r.Read(buf[n:])
		n += read
	}
	return n, err
}
