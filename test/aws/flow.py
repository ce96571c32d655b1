"""boto3, unmodified: a profile from creation to its end, with waiters and pagination. Prints one JSON document."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

cluster, role = sys.argv[1:]
eks = boto3.client("eks")
wait = {"Delay": 1, "MaxAttempts": 30}
names = ["boto-a", "boto-b", "boto-c"]
seen = {}

for name in names:
    eks.create_fargate_profile(
        clusterName=cluster,
        fargateProfileName=name,
        podExecutionRoleArn=role,
        selectors=[{"namespace": name, "labels": {"app": "*"}}],
        tags={"by": "boto3"},
    )
    eks.get_waiter("fargate_profile_active").wait(
        clusterName=cluster, fargateProfileName=name, WaiterConfig=wait
    )

pages = eks.get_paginator("list_fargate_profiles").paginate(
    clusterName=cluster, PaginationConfig={"PageSize": 2}
)
seen["pages"] = [page["fargateProfileNames"] for page in pages]
described = eks.describe_fargate_profile(clusterName=cluster, fargateProfileName="boto-b")
seen["profile"] = {
    key: value
    for key, value in described["fargateProfile"].items()
    if key not in ("createdAt", "fargateProfileArn")
}
arn = described["fargateProfile"]["fargateProfileArn"]
eks.tag_resource(resourceArn=arn, tags={"more": "1"})
eks.untag_resource(resourceArn=arn, tagKeys=["by"])
seen["tags"] = eks.list_tags_for_resource(resourceArn=arn)["tags"]
seen["clusters"] = [
    name for page in eks.get_paginator("list_clusters").paginate() for name in page["clusters"]
]
seen["versions"] = [
    version["clusterVersion"]
    for page in eks.get_paginator("describe_cluster_versions").paginate()
    for version in page["clusterVersions"]
]
seen["entries"] = [
    [eks.describe_access_entry(clusterName=cluster, principalArn=entry)["accessEntry"]["type"], entry]
    for page in eks.get_paginator("list_access_entries").paginate(clusterName=cluster)
    for entry in page["accessEntries"]
]
seen["policies"] = [
    policy
    for page in eks.get_paginator("list_associated_access_policies").paginate(
        clusterName=cluster, principalArn=role
    )
    for policy in page["associatedAccessPolicies"]
]

for name in names:
    eks.delete_fargate_profile(clusterName=cluster, fargateProfileName=name)
    eks.get_waiter("fargate_profile_deleted").wait(
        clusterName=cluster, fargateProfileName=name, WaiterConfig=wait
    )

try:
    eks.describe_fargate_profile(clusterName=cluster, fargateProfileName="boto-a")
except eks.exceptions.ResourceNotFoundException as error:
    seen["missing"] = error.response["Error"]
    seen["members"] = {
        key: error.response.get(key) for key in ("clusterName", "fargateProfileName", "nodegroupName")
    }
try:
    eks.list_nodegroups(clusterName=cluster)
except ClientError as error:
    seen["unserved"] = error.response["Error"]["Code"]

print(json.dumps(seen))
