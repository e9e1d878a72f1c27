using Carina.Silo.Lvm;

namespace Carina.Silo.Tests.Lvm;

/// <summary>Answers as lvm2 2.03.16 gives them.</summary>
public sealed class LvmResultTests
{
    [Fact]
    public void The_return_code_is_the_commands_own_and_the_complaint_is_LVMs()
    {
        var result = LvmResult.Parse(Document(
            """
            {"log_seq_num":"1", "log_type":"error", "log_context":"processing", "log_object_type":"vg", "log_object_name":"bench", "log_object_id":"1u3jY9", "log_object_group":"", "log_object_group_id":"", "log_message":"Volume group \"bench\" has insufficient free space (5103 extents): 16384 required.", "log_errno":"-1", "log_ret_code":"0"},
            {"log_seq_num":"2", "log_type":"status", "log_context":"processing", "log_object_type":"vg", "log_object_name":"bench", "log_object_id":"1u3jY9", "log_object_group":"", "log_object_group_id":"", "log_message":"failure", "log_errno":"-1", "log_ret_code":"5"},
            {"log_seq_num":"3", "log_type":"status", "log_context":"shell", "log_object_type":"cmd", "log_object_name":"lvcreate", "log_object_id":"", "log_object_group":"", "log_object_group_id":"", "log_message":"failure", "log_errno":"0", "log_ret_code":"5"}
            """));
        Assert.False(result.Succeeded);
        Assert.Equal(5, result.ReturnCode);
        var exception = Assert.Throws<LvmException>(result.EnsureSuccess);
        Assert.Equal(LvmErrorKind.NoSpace, exception.Kind);
        Assert.Equal("Volume group \"bench\" has insufficient free space (5103 extents): 16384 required.", exception.Message);
        Assert.Null(result.ComplaintAbout("elsewhere"));
        Assert.Equal(LvmErrorKind.NoSpace, result.ComplaintAbout("bench"));
    }

    [Fact]
    public void Volumes_that_were_processed_are_told_from_those_that_were_not()
    {
        var result = LvmResult.Parse(Document(
            """
            {"log_type":"status", "log_object_type":"lv", "log_object_name":"a", "log_message":"success", "log_ret_code":"1"},
            {"log_type":"error", "log_object_type":"lv", "log_object_name":"b", "log_message":"Failed to find logical volume \"bench/b\"", "log_ret_code":"0"},
            {"log_type":"status", "log_object_type":"lv", "log_object_name":"b", "log_message":"failure", "log_ret_code":"5"},
            {"log_type":"status", "log_object_type":"cmd", "log_object_name":"lvremove", "log_message":"failure", "log_ret_code":"5"}
            """));
        Assert.True(result.WasProcessed("a"));
        Assert.False(result.WasProcessed("b"));
        Assert.False(result.WasProcessed("c"));
        Assert.Equal(LvmErrorKind.NotFound, result.ComplaintAbout("b"));
    }

    [Fact]
    public void Control_characters_that_LVM_does_not_escape_do_no_harm()
    {
        var result = LvmResult.Parse(Document(
            "{\"log_type\":\"error\", \"log_object_type\":\"cmd\", \"log_object_name\":\"lvs\u0001x\", \"log_message\":\"No\tsuch command\", \"log_ret_code\":\"0\"},"
            + "{\"log_type\":\"status\", \"log_object_type\":\"cmd\", \"log_object_name\":\"x\", \"log_message\":\"failure\", \"log_ret_code\":\"2\"}"));
        Assert.Equal(2, result.ReturnCode);
        Assert.Equal("No such command", result.Complaint);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"log\":[]}")]
    [InlineData("{\"log\":[{\"log_type\":\"status\"}]}")]
    [InlineData("{\"log\":[{\"log_type\":\"status\",\"log_object_type\":\"cmd\",\"log_object_name\":\"x\\\",\"log_message\":\"\",\"log_ret_code\":\"1\"}]}")]
    [InlineData("{\"log\":[{\"log_type\":\"status\",\"log_object_type\":\"vg\",\"log_object_name\":\"x\",\"log_message\":\"\",\"log_ret_code\":\"1\"}]}")]
    [InlineData("{\"log\":[{\"log_type\":\"status\",\"log_object_type\":\"cmd\",\"log_object_name\":\"x\",\"log_message\":\"\",\"log_ret_code\":\"one\"}]}")]
    public void An_answer_that_does_not_say_how_it_ended_is_no_answer(string document) =>
        Assert.Throws<FormatException>(() => LvmResult.Parse(document));

    [Theory]
    [InlineData("Volume group \"bench\" has insufficient free space (5103 extents): 16384 required.", LvmErrorKind.NoSpace)]
    [InlineData("Insufficient free space: 16384 extents needed, but only 5103 available", LvmErrorKind.NoSpace)]
    [InlineData("Insufficient suitable allocatable extents for logical volume a: 3 more required", LvmErrorKind.NoSpace)]
    [InlineData("Logical Volume \"a\" already exists in volume group \"bench\"", LvmErrorKind.AlreadyExists)]
    [InlineData("Failed to find logical volume \"bench/a\"", LvmErrorKind.NotFound)]
    [InlineData("Logical volume nosuch not found in volume group bench.", LvmErrorKind.NotFound)]
    [InlineData("Volume group \"nosuch\" not found", LvmErrorKind.GroupNotFound)]
    [InlineData("Logical volume bench/a in use.", LvmErrorKind.InUse)]
    [InlineData("Logical volume bench/a contains a filesystem in use.", LvmErrorKind.InUse)]
    [InlineData("Logical volume bench/a is used by another device.", LvmErrorKind.InUse)]
    [InlineData("New size (16 extents) matches existing size (16 extents).", LvmErrorKind.NotLarger)]
    [InlineData("New size given (8 extents) not larger than existing size (16 extents)", LvmErrorKind.NotLarger)]
    [InlineData("Cannot change VG bench while PVs are missing.", LvmErrorKind.MissingDevices)]
    [InlineData("Refusing activation of partial LV bench/a.  Use '--activationmode partial' to override.", LvmErrorKind.MissingDevices)]
    [InlineData("Can't get lock for bench", LvmErrorKind.Locked)]
    [InlineData("Something new went wrong.", LvmErrorKind.Other)]
    public void LVMs_words_are_understood(string message, object kind) => Assert.Equal(kind, LvmComplaints.Classify(message));

    [Fact]
    public void Reports_are_typed_and_orphans_have_no_group()
    {
        var report = LvmResult.Parse(
            """
            {"report": [
              {"vg": [{"vg_name":"ssd","vg_uuid":"Q4icml-bE5t","vg_attr":"wz--n-","vg_size":"1069547520","vg_free":"0 ","vg_extent_size":"4194304","vg_missing_pv_count":"0","vg_tags":"carina,x"}],
               "pv": [{"pv_name":"/dev/ubdb","pv_uuid":"p1","vg_name":"ssd","vg_uuid":"Q4icml-bE5t","pv_attr":"a--","pv_size":"1069547520","pv_free":"4194304","dev_size":"1073741824","pe_start":"1048576","pv_fmt":"lvm2"}],
               "lv": [{"lv_name":"v1","lv_uuid":"l1","vg_name":"ssd","vg_uuid":"Q4icml-bE5t","lv_attr":"-wi-a-----","lv_size":"67108864","lv_tags":"carina,carina.volume=v1","vg_missing_pv_count":"1","pool_lv":""}],
               "pvseg": [{"pvseg_start":"0"}], "seg": [{"seg_start":"0 "}]},
              {"pv": [{"pv_name":"/dev/ubdc","pv_uuid":"p2","vg_name":"","vg_uuid":"","pv_attr":"---","pv_size":"1073741824","pv_free":"1073741824","dev_size":"1073741824","pe_start":"1048576","pv_fmt":"lvm2"}]}],
             "log": [{"log_type":"status","log_object_type":"cmd","log_object_name":"fullreport","log_message":"success","log_ret_code":"1"}]}
            """).Report;
        var group = Assert.Single(report.Groups);
        Assert.Equal(("ssd", 1069547520L, 0L, 4194304L), (group.Name, group.SizeBytes, group.FreeBytes, group.ExtentBytes));
        Assert.Equal(["carina", "x"], group.Tags);
        Assert.Equal(["/dev/ubdb", "/dev/ubdc"], report.Disks.Select(d => d.Name));
        Assert.Equal(["ssd", ""], report.Disks.Select(d => d.GroupName));
        var volume = Assert.Single(report.Volumes);
        Assert.Equal(("v1", 67108864L, true), (volume.Name, volume.SizeBytes, volume.GroupMissesDisks));
        Assert.Equal(LvState.Active, volume.Attributes.State);
    }

    [Theory]
    [InlineData("\"lv_size\":\"64.00m\"")]
    [InlineData("\"lv_size\":\"-1\"")]
    [InlineData("\"lv_size\":\"\"")]
    [InlineData("\"x\":\"\"")]
    public void A_report_without_its_numbers_is_refused(string size) => Assert.Throws<FormatException>(() => LvmResult.Parse(
        $$"""
        {"report":[{"lv":[{"lv_name":"a","lv_uuid":"u","vg_name":"g","vg_uuid":"v","lv_attr":"-wi-a-----",{{size}},"lv_tags":"","vg_missing_pv_count":"0","pool_lv":""}]}],
         "log":[{"log_type":"status","log_object_type":"cmd","log_object_name":"lvs","log_message":"success","log_ret_code":"1"}]}
        """));

    private static string Document(string log) => $"  {{\n      \"log\": [\n{log}\n      ]\n  }}\n";
}
