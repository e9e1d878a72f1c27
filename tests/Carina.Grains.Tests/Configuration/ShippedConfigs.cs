namespace Carina.Grains.Tests.Configuration;

/// <summary>The values that Carina's own manifests and chart put into <c>config.json</c>, release by release.</summary>
internal static class ShippedConfigs
{
    public const string V090 = """
        {
          "diskSelector": ["loop+", "vd+"],
          "diskScanInterval": "300",
          "diskGroupPolicy": "type",
          "schedulerStrategy": "spradout"
        }
        """;

    /// <summary>The manifest of 0.9.1 names two groups alike; Carina 0.9.1 did not validate at start.</summary>
    public const string V091 = """
        {
          "diskSelector": [
            {"name": "hdd1", "re": ["loop*"], "policy": "LVM", "nodeLabel": "kubernetes.io/hostname"},
            {"name": "hdd2", "re": ["loop*", "ad*"], "policy": "LVM", "nodeLabel": "kubernetes.io/hostname"},
            {"name": "ssd", "re": ["loop*", "vd*"], "policy": "RAW", "nodeLabel": "kubernetes.io/hostname"},
            {"name": "ssd", "re": ["loop*", "vd*"], "policy": "RAW", "nodeLabel": "kubernetes.io/hostname"}
          ],
          "diskScanInterval": "300",
          "schedulerStrategy": "spreadout"
        }
        """;

    public const string V091Chart = """
        {
          "diskSelector": [
            {"name": "hdd1", "re": ["vdb"], "policy": "LVM", "nodeLabel": "kubernetes.io/hostname"},
            {"name": "hdd2", "re": ["vdc"], "policy": "LVM", "nodeLabel": "kubernetes.io/hostname"},
            {"name": "ssd1", "re": ["loop*", "vdd1"], "policy": "RAW", "nodeLabel": "kubernetes.io/hostname"},
            {"name": "ssd2", "re": ["vdd2"], "policy": "RAW", "nodeLabel": "kubernetes.io/hostname"}
          ],
          "diskScanInterval": "300",
          "schedulerStrategy": "spreadout"
        }
        """;

    public const string V010 = """
        {
          "diskSelector": [
            {"name": "carina-vg-ssd", "re": ["loop2+"], "policy": "LVM", "nodeLabel": "kubernetes.io/hostname"},
            {"name": "carina-raw-ssd", "re": ["loop3+"], "policy": "RAW", "nodeLabel": "kubernetes.io/hostname"}
          ],
          "diskScanInterval": "300",
          "schedulerStrategy": "spreadout"
        }
        """;

    public const string V011 = """
        {
          "diskSelector": [
            {"name": "carina-lvm", "re": ["loop2+"], "policy": "LVM", "nodeLabel": "kubernetes.io/hostname"},
            {"name": "carina-raw", "re": ["loop3+"], "policy": "RAW", "nodeLabel": "kubernetes.io/hostname"}
          ],
          "diskScanInterval": "300",
          "schedulerStrategy": "spreadout"
        }
        """;

    public const string V014 = """
        {
          "diskSelector": [
            {"name": "carina-lvm", "re": ["loop2+"], "policy": "LVM", "nodeLabel": "kubernetes.io/hostname"},
            {"name": "carina-raw", "re": ["loop3+"], "policy": "RAW", "nodeLabel": "kubernetes.io/hostname"},
            {"name": "carina-host", "re": ["/opt/carina-hostpath"], "policy": "HOST", "nodeLabel": "kubernetes.io/hostname"}
          ],
          "diskScanInterval": "300",
          "schedulerStrategy": "spreadout"
        }
        """;

    /// <summary>The chart renders its values with sorted keys and the interval as a number.</summary>
    public const string V014Chart = """
        {
          "diskScanInterval": 300,
          "diskSelector": [
            {"name": "carina-vg-ssd", "nodeLabel": "kubernetes.io/hostname", "policy": "LVM", "re": ["loop2+"]},
            {"name": "carina-raw-ssd", "nodeLabel": "kubernetes.io/hostname", "policy": "RAW", "re": ["loop3+"]}
          ],
          "schedulerStrategy": "spreadout"
        }
        """;
}
