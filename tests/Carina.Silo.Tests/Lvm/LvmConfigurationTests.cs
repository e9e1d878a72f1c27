using Carina.Silo.Lvm;
using Carina.Silo.Processes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Carina.Silo.Tests.Lvm;

/// <summary>What LVM itself (lvmconfig) makes of the private configuration.</summary>
public sealed class LvmConfigurationTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("carina-lvm-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task The_hosts_settings_stay_except_those_that_a_session_needs()
    {
        var host = Directory.CreateDirectory(Path.Combine(_directory, "host")).FullName;
        File.WriteAllText(
            Path.Combine(host, "lvm.conf"),
            "global {\n\tsystem_id_source=\"lvmlocal\"\n}\nbackup/backup=1\ndevices/filter=[\"r|/dev/sdz|\"]\nreport/list_item_separator=\";\"\n");
        File.WriteAllText(Path.Combine(host, "lvmlocal.conf"), "local {\n\tsystem_id=\"node-7\"\n}\nbackup {\n\tarchive=1\n}\n");
        Directory.CreateDirectory(Path.Combine(host, "backup"));
        var configuration = new LvmConfiguration(Path.Combine(_directory, "own"), restricted: false, host);
        configuration.Write();
        configuration.Write();

        var settings = await ReadAsync(configuration);
        Assert.Contains("system_id_source=\"lvmlocal\"", settings);
        Assert.Contains("system_id=\"node-7\"", settings);
        Assert.Contains("filter=\"r|/dev/sdz|\"", settings);
        Assert.Contains("report_command_log=1", settings);
        Assert.Contains("output_format=\"json\"", settings);
        Assert.Contains("list_item_separator=\",\"", settings);
        Assert.Contains("backup=0", settings);
        Assert.Contains("archive=0", settings);
        Assert.False(Directory.Exists(Path.Combine(configuration.SystemDirectory, "backup")));
    }

    [Fact]
    public async Task A_restricted_session_sees_its_devices_only()
    {
        var host = Directory.CreateDirectory(Path.Combine(_directory, "host")).FullName;
        File.WriteAllText(Path.Combine(host, "lvm.conf"), "devices/filter=[\"r|.*|\"]\ndevices/scan=[\"/dev\"]\n");
        var configuration = new LvmConfiguration(Path.Combine(_directory, "own"), restricted: true, host);
        configuration.Write();

        var settings = await ReadAsync(configuration);
        Assert.Contains($"scan=\"{configuration.DeviceDirectory}\"", settings);
        Assert.Contains($"global_filter=[\"a|^{configuration.DeviceDirectory}/|\",\"r|.*|\"]", settings);

        // LVM joins the lists of both files; the first pattern that matches decides.
        Assert.Contains("\tfilter=[\"a|.*|\",\"r|.*|\"]", settings);
    }

    [Fact]
    public void Devices_come_and_go_as_links()
    {
        var configuration = new LvmConfiguration(Path.Combine(_directory, "own"), restricted: true, "");
        Assert.True(configuration.SetDevices(["/dev/loop1", "/dev/mapper/mpath-a", "/dev/with blank"]));
        Assert.False(configuration.SetDevices(["/dev/mapper/mpath-a", "/dev/loop1"]));
        Assert.Equal(
            ["loop1", "mapper!mpath-a"],
            Directory.EnumerateFileSystemEntries(configuration.DeviceDirectory).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal("/dev/mapper/mpath-a", configuration.DeviceOf(configuration.PathFor("/dev/mapper/mpath-a")));

        Assert.True(configuration.SetDevices(["/dev/loop2"]));
        Assert.Equal([configuration.PathFor("/dev/loop2")], Directory.EnumerateFileSystemEntries(configuration.DeviceDirectory));
        configuration.Remove();
        Assert.False(Directory.Exists(configuration.SystemDirectory));
    }

    private static async Task<string> ReadAsync(LvmConfiguration configuration)
    {
        var runner = new ProcessRunner(TimeProvider.System, NullLogger<ProcessRunner>.Instance);
        var result = await runner.RunAsync("env", ["LVM_SYSTEM_DIR=" + configuration.SystemDirectory, "lvmconfig"], default);
        Assert.Equal(0, result.ExitCode);
        return result.Output;
    }
}
