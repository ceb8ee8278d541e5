import Testing

@testable import VaultEngines

/// What an object store writes is read, and what a hostile one writes does no harm.
@Suite struct S3DocumentTests {
    @Test func elementsAreFoundWithTheirText() {
        let document = S3Document(
            "<?xml?><R><C><Key>a&amp;b&lt;</Key><Size>5</Size></C><C><Key>c</Key></C><IsTruncated>true</IsTruncated></R>"
        )
        #expect(document.elements("C").map { $0.first("Key") } == ["a&b<", "c"])
        #expect(document.elements("C")[0].first("Size") == "5")
        #expect(document.elements("C")[1].first("Size") == nil)
        #expect(document.first("IsTruncated") == "true")
    }

    @Test(arguments: ["", "<", "<Key>", "</Key><Key>", "<Key><Key>", "Key", "<Key"])
    func whatIsCutOffHasNoElements(_ text: String) {
        #expect(S3Document(text).first("Key") == nil)
    }

    @Test func anEscapedAmpersandIsNotReadTwice() {
        #expect(S3Document("<K>&amp;lt;</K>").first("K") == "&lt;")
    }

    @Test func timesAreReadAndWritten() {
        #expect(S3Time.stamp(1_369_353_600) == "20130524T000000Z")
        #expect(S3Time.stamp(951_827_696) == "20000229T123456Z")
        #expect(S3Time.seconds(iso: "2013-05-24T00:00:00.000Z") == 1_369_353_600)
        #expect(S3Time.seconds(http: "Fri, 24 May 2013 00:00:00 GMT") == 1_369_353_600)
        #expect(S3Time.seconds(iso: "2000-02-29T12:34:56Z") == 951_827_696)
        for text in ["", "yesterday", "2013-05-24", "Fri, 24 Foo 2013 00:00:00 GMT"] {
            #expect(S3Time.seconds(iso: text) == nil)
            #expect(S3Time.seconds(http: text) == nil)
        }
    }
}
