"""The services that people meet most, and typical actions of each: by them, breadth is measured and put into words.

It decides nothing: what a role may do, its policies say, of these services and of all others. The names are those of
policies (RAM, "Services that work with RAM").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class Harm(IntEnum):
    """What somebody can do with an action: see, change, or change who may what, keys, money and evidence."""

    READ = 0
    CHANGE = 1
    ADMINISTER = 2


@dataclass(frozen=True)
class Service:
    """One service."""

    title: str
    """What its readers call it, in every language."""
    resource: str
    """The last part of a typical resource's ARN."""
    reads: tuple[str, ...]
    changes: tuple[str, ...]
    administers: bool = False
    """Whether its changes are about who may what, about keys, money or evidence."""


def _service(title: str, resource: str, reads: str, changes: str, *, administers: bool = False) -> Service:
    return Service(title, resource, tuple(reads.split()), tuple(changes.split()), administers)


SERVICES: Mapping[str, Service] = {
    "ecs": _service(
        "ECS",
        "instance/i-typical",
        "DescribeInstances DescribeDisks DescribeSecurityGroups ListTagResources",
        "RunInstances StartInstance StopInstance DeleteInstance ModifyInstanceAttribute AuthorizeSecurityGroup",
    ),
    "oss": _service(
        "OSS",
        "typical-bucket/typical-object",
        "ListBuckets ListObjects GetObject GetBucketInfo",
        "PutBucket PutObject DeleteObject DeleteBucket PutBucketAcl",
    ),
    "rds": _service(
        "RDS",
        "dbinstance/rm-typical",
        "DescribeDBInstances DescribeDBInstanceAttribute DescribeBackups ListTagResources",
        "CreateDBInstance DeleteDBInstance ModifyDBInstanceSpec RestartDBInstance ResetAccountPassword",
    ),
    "vpc": _service(
        "VPC",
        "vpc/vpc-typical",
        "DescribeVpcs DescribeVSwitches DescribeEipAddresses ListTagResources",
        "CreateVpc DeleteVpc ModifyVpcAttribute CreateVSwitch AllocateEipAddress",
    ),
    "slb": _service(
        "SLB",
        "loadbalancer/lb-typical",
        "DescribeLoadBalancers DescribeLoadBalancerAttribute ListTagResources",
        "CreateLoadBalancer DeleteLoadBalancer SetLoadBalancerStatus AddBackendServers",
    ),
    "cs": _service(
        "ACK",
        "cluster/c-typical",
        "DescribeClustersV1 DescribeClusterDetail ListClusterNodes GetClusters",
        "CreateCluster DeleteCluster ModifyCluster ScaleOutCluster",
    ),
    "fc": _service(
        "Function Compute",
        "functions/typical",
        "ListFunctions GetFunction ListTriggers",
        "CreateFunction UpdateFunction DeleteFunction InvokeFunction",
    ),
    "log": _service(
        "SLS",
        "project/typical/logstore/typical",
        "ListProject ListLogStores GetLogStoreLogs GetProject",
        "CreateProject CreateLogStore PostLogStoreLogs DeleteLogStore DeleteProject",
    ),
    "cms": _service(
        "CloudMonitor",
        "*",
        "DescribeMetricList DescribeMetricRuleList QueryMetricList",
        "PutResourceMetricRule DeleteMetricRules CreateMonitorGroup",
    ),
    "cdn": _service(
        "CDN",
        "domain/typical.example",
        "DescribeUserDomains DescribeCdnDomainDetail ListTagResources",
        "AddCdnDomain DeleteCdnDomain ModifyCdnDomain RefreshObjectCaches",
    ),
    "alidns": _service(
        "DNS",
        "domain/typical.example",
        "DescribeDomains DescribeDomainRecords ListTagResources",
        "AddDomainRecord UpdateDomainRecord DeleteDomainRecord DeleteDomain",
    ),
    "kvstore": _service(
        "Tair",
        "instance/r-typical",
        "DescribeInstances DescribeInstanceAttribute ListTagResources",
        "CreateInstance DeleteInstance ModifyInstanceSpec ResetAccountPassword",
    ),
    "polardb": _service(
        "PolarDB",
        "dbcluster/pc-typical",
        "DescribeDBClusters DescribeDBClusterAttribute ListTagResources",
        "CreateDBCluster DeleteDBCluster ModifyDBNodeClass",
    ),
    "dds": _service(
        "MongoDB",
        "dbinstance/dds-typical",
        "DescribeDBInstances DescribeDBInstanceAttribute ListTagResources",
        "CreateDBInstance DeleteDBInstance ModifyDBInstanceSpec",
    ),
    "mns": _service(
        "MNS",
        "queues/typical",
        "ListQueue GetQueueAttributes ListTopic",
        "CreateQueue DeleteQueue SendMessage ReceiveMessage",
    ),
    "ram": _service(
        "RAM",
        "user/typical",
        "ListUsers GetUser ListPolicies GetRole ListPoliciesForUser",
        "CreateUser DeleteUser CreateAccessKey AttachPolicyToUser CreateRole CreatePolicyVersion",
        administers=True,
    ),
    "kms": _service(
        "KMS",
        "key/typical",
        "ListKeys DescribeKey ListSecrets",
        "Decrypt GetSecretValue CreateKey ScheduleKeyDeletion PutSecretValue",
        administers=True,
    ),
    "actiontrail": _service(
        "ActionTrail",
        "trail/typical",
        "DescribeTrails GetTrailStatus",
        "CreateTrail UpdateTrail DeleteTrail StopLogging",
        administers=True,
    ),
    "resourcemanager": _service(
        "Resource Manager",
        "*",
        "ListAccounts GetResourceDirectory ListResourceGroups",
        "CreateResourceAccount DeleteResourceGroup AttachPolicy",
        administers=True,
    ),
    "bss": _service(
        "billing",
        "*",
        "DescribeAcccount DescribeOrderList QueryAccountBalance",
        "PayOrder ModifyInvoice RefundInstance",
        administers=True,
    ),
}
"""By the name that policies have for it."""

_READING = ("Get", "List", "Describe", "Query", "Check", "Search", "Head", "Lookup", "BatchGet", "Select")


def classify(action: str) -> Harm:
    """Return what somebody can do with an action of any service, by its service and its verb."""
    service, _, name = action.partition(":")
    known = SERVICES.get(service.lower())
    if known and name in known.changes:
        return Harm.ADMINISTER if known.administers else Harm.CHANGE
    if name.startswith(_READING):
        return Harm.READ
    return Harm.ADMINISTER if (known and known.administers) or service.lower() in {"sts", "ims"} else Harm.CHANGE


def describe_resource(service: str, account_id: str) -> str:
    """Return the ARN of a typical resource of a service."""
    known = SERVICES.get(service)
    return f"acs:{service}:cn-hangzhou:{account_id}:{known.resource if known else 'typical'}"
