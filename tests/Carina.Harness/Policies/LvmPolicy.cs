using System.Globalization;
using System.Text.RegularExpressions;
using Carina.Harness.Disks;
using Carina.Harness.Processes;

namespace Carina.Harness.Policies;

/// <summary>
/// Policy LVM: each node has bare disks, of which the driver makes a volume group. The groups of all nodes have the
/// same name; what tells them apart on one kernel are the devices.
/// </summary>
internal sealed class LvmPolicy : StoragePolicy
{
    public override string Name => "LVM";

    public override string Pool => "carina-vg-ssd";

    public override async Task<NodeStorage> PrepareAsync(
        string directory, IReadOnlyList<long> sizes, CancellationToken cancellationToken)
    {
        var disks = new List<LoopDisk>();
        try
        {
            foreach (var (i, size) in sizes.Index())
            {
                disks.Add(await LoopDisk.CreateAsync(Path.Combine(directory, $"disk{i}.img"), size, cancellationToken));
            }

            return new LvmStorage(Pool, disks);
        }
        catch
        {
            foreach (var disk in disks)
            {
                await disk.RemoveAsync(CancellationToken.None);
            }

            throw;
        }
    }

    private sealed class LvmStorage(string group, IReadOnlyList<LoopDisk> disks) : NodeStorage
    {
        // This node's devices and no others, and no files outside the laboratory.
        private readonly string _config =
            $"devices {{ use_devicesfile=0 filter=[ {string.Concat(disks.Select(d => $"\"a|^{d.Device}$|\", "))}\"r|.*|\" ] }} "
            + "backup { backup=0 archive=0 }";

        public override IReadOnlyList<LoopDisk> Disks => disks;

        public override IReadOnlyList<string> Patterns { get; } = [.. disks.Select(d => $"^{Regex.Escape(d.Device)}$")];

        public override IReadOnlyList<string> SiloArguments => ["--lvm-devices", string.Join(',', Patterns)];

        public override async Task<IReadOnlyDictionary<string, long>> ListVolumesAsync(CancellationToken cancellationToken)
        {
            var output = await LvmAsync(
                "lvs",
                ["--noheadings", "--options", "lv_name,lv_size", "--units", "b", "--nosuffix", "--separator", ":"],
                cancellationToken);
            return Lines(output).Select(line => line.Split(':'))
                .ToDictionary(cells => cells[0], cells => long.Parse(cells[1], CultureInfo.InvariantCulture));
        }

        public override async Task RemoveAsync(CancellationToken cancellationToken)
        {
            var groups = await LvmAsync("vgs", ["--noheadings", "--options", "vg_name"], cancellationToken);
            if (Lines(groups).Contains(group))
            {
                await LvmAsync("vgremove", ["--yes", "--force", "--force", group], cancellationToken);
            }

            foreach (var disk in disks)
            {
                await disk.RemoveAsync(cancellationToken);
            }
        }

        private Task<string> LvmAsync(string command, string[] arguments, CancellationToken cancellationToken) =>
            Command.RunAsync("lvm", [command, "--config", _config, .. arguments], cancellationToken);

        private static string[] Lines(string output) =>
            output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }
}
