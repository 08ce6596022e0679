// Package clouds makes the buckets of S3, Google Cloud Storage and Azure known, by the schemes of their URLs.
package clouds

import (
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://
)
