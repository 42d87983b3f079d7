"""The products of Alibaba Cloud whose ARNs and pages of the console are understood, as a table.

Pages of the console have no documented form; these are the ones that the console itself shows in the address bar. Where
one is not known, a product's start page stands in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

REGION = r"(?:cn|ap|us|eu|me|na|sa|rus)-[a-z]{2,16}(?:-[a-z0-9]{1,12}){0,3}"
_REGION = re.compile(REGION, re.ASCII)
_PATH = re.compile(r"#?(?:/[A-Za-z0-9._-]{1,64}){1,10}/?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}", re.ASCII)


@dataclass(frozen=True)
class Kind:
    """A kind of resource."""

    name: str
    """The first part of the resource in an ARN, such as ``instance``; empty: the name stands alone (OSS's buckets)."""
    page: str
    """The path of its page, with ``{name}`` and ``{region}``; empty: none is known."""
    reads: str
    """The action that shows one."""
    of_pages: tuple[str, ...] = ()
    """Patterns of paths, fragments and queries of its pages; the group is its name."""


@dataclass(frozen=True)
class Product:
    """One product."""

    service: str
    """What policies and ARNs call it."""
    title: str
    hosts: tuple[str, ...]
    """The first labels of its console's host names; links lead to the first one."""
    reads: str
    """The action that lists what it has."""
    home: str
    """The path of its start page, with ``{region}`` where it has one."""
    kinds: tuple[Kind, ...] = ()

    def find_kind(self, name: str) -> Kind | None:
        """Return the kind of resource that an ARN names."""
        return next((each for each in self.kinds if each.name == name), None)


def _product(service: str, title: str, hosts: str, reads: str, home: str = "/", *kinds: Kind) -> Product:
    return Product(service, title, tuple(hosts.split()), f"{service}:{reads}", home, kinds)


_ID = r"([A-Za-z0-9][A-Za-z0-9._-]{1,127})"

PRODUCTS: tuple[Product, ...] = (
    _product(
        "ecs",
        "ECS",
        "ecs",
        "DescribeInstances",
        "/server/region/{region}",
        Kind(
            "instance",
            "/server/{name}/detail?regionId={region}",
            "DescribeInstances",
            (r"/server/(i-[a-z0-9]{1,40})", r"[?&]instanceIds?=(i-[a-z0-9]{1,40})"),
        ),
        Kind("disk", "/disk/{name}/detail?regionId={region}", "DescribeDisks", (r"/disk/(d-[a-z0-9]{1,40})",)),
        Kind(
            "securitygroup",
            "/securityGroupDetail/region/{region}/groupId/{name}/detail/intranetIngress",
            "DescribeSecurityGroups",
            (r"/groupId/(sg-[a-z0-9]{1,40})",),
        ),
        Kind("image", "/image/region/{region}", "DescribeImages", (r"/image/(m-[a-z0-9]{1,40})",)),
        Kind("snapshot", "/snapshot/region/{region}", "DescribeSnapshots", ()),
    ),
    _product(
        "oss",
        "OSS",
        "oss",
        "ListBuckets",
        "/bucket",
        Kind(
            "",
            "/bucket/oss-{region}/{name}/object",
            "ListObjects",
            (r"/bucket/oss-[a-z0-9-]{1,40}/([a-z0-9][a-z0-9-]{1,62})",),
        ),
    ),
    _product(
        "rds",
        "RDS",
        "rdsnext rds",
        "DescribeDBInstances",
        "/rdsList/{region}/basic",
        Kind(
            "dbinstance",
            "/detail/{name}/basicInfo?region={region}",
            "DescribeDBInstanceAttribute",
            (r"/detail/((?:rm|rr|pgm|pgr)-[a-z0-9]{1,40})",),
        ),
    ),
    _product(
        "vpc",
        "VPC",
        "vpc vpcnext eip",
        "DescribeVpcs",
        "/vpc/{region}/vpcs",
        Kind("vpc", "/vpc/{region}/vpcs/{name}", "DescribeVpcAttribute", (r"/vpcs/(vpc-[a-z0-9]{1,40})",)),
        Kind(
            "vswitch",
            "/vpc/{region}/switches/{name}",
            "DescribeVSwitchAttributes",
            (r"/(?:v?switches)/(vsw-[a-z0-9]{1,40})",),
        ),
        Kind("eip", "/eip/{region}/eips", "DescribeEipAddresses", (r"/(eip-[a-z0-9]{1,40})",)),
    ),
    _product(
        "slb",
        "SLB",
        "slb slbnext",
        "DescribeLoadBalancers",
        "/slb/{region}/slbs",
        Kind(
            "loadbalancer",
            "/slb/{region}/slbs/{name}",
            "DescribeLoadBalancerAttribute",
            (r"/slbs/(lb-[a-z0-9]{1,40})",),
        ),
    ),
    _product(
        "log",
        "SLS",
        "sls",
        "ListProject",
        "/lognext/profile",
        Kind("project", "/lognext/project/{name}/overview", "GetProject", (r"/project/([a-z0-9][a-z0-9_-]{1,62})",)),
    ),
    _product(
        "kms",
        "KMS",
        "kms yundun",
        "ListKeys",
        "/{region}/keystore/list",
        Kind("key", "/{region}/key/detail/{name}", "DescribeKey", (r"/key/(?:detail/)?((?:key-)?[a-z0-9-]{8,64})",)),
        Kind("secret", "/{region}/secret/detail/{name}", "DescribeSecret", (rf"/secret/detail/{_ID}",)),
    ),
    _product(
        "ram",
        "RAM",
        "ram",
        "ListUsers",
        "/overview",
        Kind(
            "user",
            "/users/detail?userName={name}",
            "GetUser",
            (rf"/users/detail\?(?:[^#\s]{{0,200}}&)?userName={_ID}", rf"/users/(?!detail){_ID}"),
        ),
        Kind(
            "role",
            "/roles/detail?roleName={name}",
            "GetRole",
            (rf"/roles/detail\?(?:[^#\s]{{0,200}}&)?roleName={_ID}", rf"/roles/(?!detail){_ID}"),
        ),
        Kind(
            "policy",
            "/policies/detail?policyType=Custom&policyName={name}",
            "GetPolicy",
            (rf"policyName={_ID}", rf"/policies/(?!detail){_ID}"),
        ),
        Kind("group", "/groups/{name}", "GetGroup", (rf"/groups/(?!detail){_ID}",)),
    ),
    _product(
        "actiontrail",
        "ActionTrail",
        "actiontrail",
        "LookupEvents",
        "/{region}/event-list",
        Kind("trail", "/{region}/trails/{name}", "DescribeTrails", (rf"/trails/{_ID}",)),
    ),
    _product(
        "cs",
        "ACK",
        "cs",
        "GetClusters",
        "/#/k8s/cluster/list",
        Kind(
            "cluster",
            "/#/k8s/cluster/{name}/v2/info/overview",
            "DescribeClusterDetail",
            (r"/cluster/(c[a-z0-9]{30,34})",),
        ),
    ),
    _product(
        "fc",
        "Function Compute",
        "fcnext fc fc3",
        "ListFunctions",
        "/{region}/functions",
        Kind("functions", "/{region}/functions/{name}", "GetFunction", (rf"/functions/{_ID}",)),
    ),
    _product("cms", "CloudMonitor", "cloudmonitor cloudmonitornext", "DescribeMetricList"),
    _product(
        "cdn",
        "CDN",
        "cdn",
        "DescribeUserDomains",
        "/domain/list",
        Kind("domain", "/domain/detail/{name}", "DescribeCdnDomainDetail", (rf"/domain/detail/{_ID}",)),
    ),
    _product(
        "alidns",
        "DNS",
        "dns dnsnext",
        "DescribeDomains",
        "/",
        Kind("domain", "/#/dns/setting/{name}", "DescribeDomainRecords", (rf"/dns/setting/{_ID}",)),
    ),
    _product(
        "kvstore",
        "Tair",
        "kvstore",
        "DescribeInstances",
        "/Redis/instance/{region}",
        Kind(
            "instance",
            "/Redis/instance/{region}/{name}/Normal/VPC/info",
            "DescribeInstanceAttribute",
            (r"/(r-[a-z0-9]{1,40})(?:/|$)",),
        ),
    ),
    _product(
        "polardb",
        "PolarDB",
        "polardb",
        "DescribeDBClusters",
        "/{region}/cluster",
        Kind(
            "dbcluster", "/{region}/cluster/{name}", "DescribeDBClusterAttribute", (r"/cluster/(p[cg]-[a-z0-9]{1,40})",)
        ),
    ),
    _product(
        "dds",
        "MongoDB",
        "mongodb dds",
        "DescribeDBInstances",
        "/",
        Kind("dbinstance", "/", "DescribeDBInstanceAttribute", (r"/(dds-[a-z0-9]{1,40})",)),
    ),
    _product("mns", "MNS", "mns", "ListQueue"),
    _product("nas", "NAS", "nas nasnext", "DescribeFileSystems", "/{region}/filesystem"),
    _product("ess", "Auto Scaling", "essnew ess", "DescribeScalingGroups"),
    _product("ims", "RAM", "ram", "GetAccountSecurityPracticeReport"),
    _product("sts", "STS", "ram", "AssumeRole"),
    _product("resourcemanager", "Resource Manager", "resourcemanager", "ListResourceGroups"),
    _product("bss", "billing", "billing-cost expense usercenter2 usercenter billing", "DescribeOrderList"),
)

BY_SERVICE: Mapping[str, Product] = {product.service: product for product in PRODUCTS}
BY_HOST: Mapping[str, Product] = {host: product for product in reversed(PRODUCTS) for host in product.hosts}
"""The first product that has a host is meant."""
ENDPOINTS: Mapping[str, str] = {
    "ecs": "ecs", "oss": "oss", "rds": "rds", "vpc": "vpc", "slb": "slb", "log": "log", "sls": "log", "kms": "kms",
    "ram": "ram", "ims": "ims", "sts": "sts", "actiontrail": "actiontrail", "cs": "cs", "fc": "fc", "metrics": "cms",
    "cdn": "cdn", "alidns": "alidns", "r-kvstore": "kvstore", "polardb": "polardb", "mongodb": "dds", "nas": "nas",
    "ess": "ess", "resourcemanager": "resourcemanager", "business": "bss", "bss": "bss",
}  # fmt: skip
"""What the first label of an API's host name means in policies."""


@dataclass(frozen=True)
class Place:
    """A product, and what of it is meant, as far as an address says."""

    product: Product
    region: str = ""
    kind: Kind | None = None
    name: str = ""
    path: str = ""
    """Of a page that shows no resource that is known: its path, of plain words alone."""


def read_console_address(url: str) -> Place | None:
    """Return what a page of the console shows; None: no page of a product that is known."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    label, _, domain = host.partition(".")
    if domain not in {"console.aliyun.com", "console.alibabacloud.com", "aliyun.com", "alibabacloud.com"}:
        return None
    product = BY_HOST.get(label.removesuffix("-intl"))
    if product is None:
        return None
    shown = unquote(
        f"{parts.path}{'?' + parts.query if parts.query else ''}{'#' + parts.fragment if parts.fragment else ''}"
    )
    region = _find_region(parts.query, shown)
    for kind in product.kinds:
        for pattern in kind.of_pages:
            found = re.search(pattern, shown)
            if found and _NAME.fullmatch(found[1]) and not _REGION.fullmatch(found[1]):
                return Place(product, region, kind, found[1])
    plain = [each for each in (f"#{parts.fragment}", parts.path) if _PATH.fullmatch(each)]
    return Place(product, region, path=plain[0] if plain else "")


def _find_region(query: str, shown: str) -> str:
    for key, value in parse_qsl(query[:1000]):
        if key.lower() in {"region", "regionid"} and _REGION.fullmatch(value):
            return value
    found = re.search(rf"(?:/|oss-|=)({REGION})(?=[/?#&]|$)", shown)
    return found[1] if found else ""


def build_page(place: Place, *, international: bool = False) -> str:
    """Return the address of the page that shows a place, or of its product's start page where too little is known."""
    path = place.kind.page if place.kind and place.name else ""
    if "{region}" in path and not place.region:
        path = ""
    path = (
        path
        or _build_plain_path(place)
        or (place.product.home if place.region or "{region}" not in place.product.home else "/")
    )
    domain = "console.alibabacloud.com" if international else "console.aliyun.com"
    filled = (
        path if path == _build_plain_path(place) else path.format(name=quote(place.name, safe=""), region=place.region)
    )
    return f"https://{place.product.hosts[0]}.{domain}{filled}"


def _build_plain_path(place: Place) -> str:
    if place.path.startswith("#"):
        return f"/{place.path}"
    return f"{place.path}?regionId={place.region}" if place.path and place.region else place.path
