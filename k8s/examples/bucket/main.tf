# The bucket of the archive: versions and object lock, which the kernel checks at its start, copied to another region. Not tried
# here, for want of OpenTofu: run `tofu init && tofu validate` first.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 6.0" }
  }
}

provider "aws" {
  region = "eu-central-1"
}

provider "aws" {
  alias  = "copy"
  region = "eu-west-1"
}

variable "name" {
  type    = string
  default = "illuvrse-kernel-production-audit"
}

resource "aws_s3_bucket" "archive" {
  bucket              = var.name
  object_lock_enabled = true
}

resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_public_access_block" "archive" {
  bucket                  = aws_s3_bucket.archive.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket" "copy" {
  provider            = aws.copy
  bucket              = "${var.name}-copy"
  object_lock_enabled = true
}

resource "aws_s3_bucket_versioning" "copy" {
  provider = aws.copy
  bucket   = aws_s3_bucket.copy.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_iam_role" "replication" {
  name = "${var.name}-replication"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "s3.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "replication" {
  role = aws_iam_role.replication.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
        Resource = aws_s3_bucket.archive.arn
      },
      {
        Effect = "Allow"
        Action = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectRetention",
        "s3:GetObjectLegalHold"]
        Resource = "${aws_s3_bucket.archive.arn}/*"
      },
      { Effect = "Allow", Action = ["s3:ReplicateObject"], Resource = "${aws_s3_bucket.copy.arn}/*" },
    ]
  })
}

resource "aws_s3_bucket_replication_configuration" "archive" {
  depends_on = [aws_s3_bucket_versioning.archive, aws_s3_bucket_versioning.copy]
  bucket     = aws_s3_bucket.archive.id
  role       = aws_iam_role.replication.arn

  rule {
    id     = "all"
    status = "Enabled"
    filter {}
    # A delete marker is no deletion, and is not copied.
    delete_marker_replication { status = "Disabled" }
    destination { bucket = aws_s3_bucket.copy.arn }
  }
}
