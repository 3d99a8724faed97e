#!/bin/sh
# Brings tools/signers.json up to the keys of the signing proxy, verifies with it, and proposes the change as a merge request: the trust
# root is changed by people. Takes the variables of scripts/update-signers-from-kms.sh.
#   SIGNERS_PUSH_URL     where to push to (default: this project on GitLab)
#   SIGNERS_PUSH_TOKEN   a token that may push to this project, no more
#   KERNEL_API_URL       a kernel whose chain has to verify with the new file (left out: the file alone is looked at)
set -eu
cd "$(dirname -- "$0")/.."

push_url=${SIGNERS_PUSH_URL:-${CI_SERVER_URL:-}/${CI_PROJECT_PATH:-}.git}
target=${CI_DEFAULT_BRANCH:-main}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

scripts/update-signers-from-kms.sh --out tools/signers.json
# Without a chain it ends with 2 and says what is in the file; a file that it cannot use it does not call a trust root.
{ node tools/audit-verify.js --signers tools/signers.json || [ $? -eq 2 ]; } | grep 'is a trust root of'
if [ -n "${KERNEL_API_URL:-}" ]; then
  curl --silent --show-error --fail --proto '=https' --tlsv1.2 --cacert "$KERNEL_CA_CERT" --cert "$KERNEL_OPERATOR_CERT" \
    --key "$KERNEL_OPERATOR_KEY" --output "$folder/export" "${KERNEL_API_URL%/}/kernel/audit/export"
  node tools/audit-verify.js --signers tools/signers.json --export "$folder/export"
fi
if git diff --quiet -- tools/signers.json; then
  echo 'tools/signers.json is up to date: nothing to propose'
  exit 0
fi

# Named by its content: the same change is proposed once, however often this runs.
branch=signers/$(git hash-object tools/signers.json | cut -c1-12)
if [ -n "$(git ls-remote --heads "$push_url" "$branch")" ]; then
  git checkout --quiet -- tools/signers.json
  echo "$branch is there already: look at its merge request"
  exit 0
fi
git diff -- tools/signers.json
git checkout --quiet -B "$branch"
git -c user.name='Signers update' -c user.email=signers@illuvrse.invalid commit --quiet --only tools/signers.json \
  --message 'Bring the trust root up to the keys of the signing proxy' --message 'Compare each added key with the KMS before merging.'
# The token comes by a helper, since arguments and URLs of a process are seen by others. Other helpers are not asked.
git -c credential.helper= -c credential.helper='!f() { echo username=oauth2; printf "password=%s\n" "${SIGNERS_PUSH_TOKEN:-}"; }; f' \
  push --quiet "$push_url" "HEAD:refs/heads/$branch" \
  --push-option merge_request.create --push-option "merge_request.target=$target" \
  --push-option 'merge_request.title=Bring the trust root up to the keys of the signing proxy' \
  --push-option merge_request.remove_source_branch
echo "proposed as $branch"
